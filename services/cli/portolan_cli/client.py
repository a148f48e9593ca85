"""Portolan as an outside program sees it: HTTP, tokens, and patience with a service that is just starting again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE_S = 60.0
REQUEST_S = 10.0
PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 2.0
TOKEN_MARGIN_S = 30.0
PAGES_MAX = 50
PAGE_ITEMS = 200
AGAIN_LATER = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Credentials:
    client_id: str
    client_secret: str = field(repr=False)


class Person(Credentials):
    """Somebody who signs in with an address and a password."""


class Problem(Exception):
    """An answer that is a refusal: problem+json as it came."""

    def __init__(self, status: int, content: Mapping[str, Any], *, is_repetition: bool = False) -> None:
        self.status = status
        # An earlier attempt went unanswered and may have had its effect.
        self.is_repetition = is_repetition
        self.content = dict(content)
        super().__init__(f"{status} {self.code}: {self.content.get('detail') or self.content.get('title') or ''}")

    @property
    def code(self) -> str:
        return str(self.content.get("code", "UNKNOWN"))


class Unreachable(Exception):
    """No answer within PATIENCE_S."""


class GivenUp(Exception):
    """Whoever waits for the answer has left."""


def never() -> bool:
    return False


class Portolan:
    """Every call is safe to repeat: a read, or a write with an Idempotency-Key or a business key of its own."""

    def __init__(
        self,
        base_url: str,
        *,
        patience_s: float = PATIENCE_S,
        is_given_up: Callable[[], bool] = never,
        language: str = "",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._patience_s = patience_s
        self._is_given_up = is_given_up
        headers = {"accept-language": language} if language else {}
        self._http = httpx.Client(base_url=self.base_url, timeout=REQUEST_S, headers=headers)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Portolan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, by: Credentials | None = None, **query: str | int) -> Any:
        return self.call("GET", path, by, query=query)

    def post(self, path: str, by: Credentials | None = None, body: object = None, *, key: str = "") -> Any:
        return self.call("POST", path, by, body=body, key=key)

    def items(self, path: str, by: Credentials, **query: str | int) -> list[dict[str, Any]]:
        """All pages of a list, PAGES_MAX at most."""
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            page = self.get(path, by, limit=PAGE_ITEMS, **query, **({"cursor": cursor} if cursor else {}))
            found.extend(page["items"])
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        return found

    def call(
        self,
        method: str,
        path: str,
        by: Credentials | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        key: str = "",
        if_match: str = "",
    ) -> Any:
        """The decoded answer. Raises Problem for a refusal, Unreachable when nobody answers in time."""
        headers = {name: value for name, value in (("idempotency-key", key), ("if-match", if_match)) if value}
        return _decoded(self._exchange(method, path, by, headers=headers, params=dict(query or {}), json=body))

    def text(self, path: str, by: Credentials | None = None) -> str:
        """What is no JSON, as it comes."""
        answer = self._exchange("GET", path, by, headers={}, params={}, json=None)
        if not answer.is_success:
            _decoded(answer)
        return answer.content.decode()

    def send(
        self, path: str, by: Credentials, raw: bytes, media_type: str, *, query: Mapping[str, str], key: str = ""
    ) -> Any:
        """A file. Raises as `call`."""
        headers = {"content-type": media_type, "idempotency-key": key}
        return _decoded(self._exchange("POST", path, by, headers=headers, params=dict(query), json=None, content=raw))

    def etag(self, path: str, by: Credentials) -> str:
        answer = self._exchange("GET", path, by, headers={}, params={}, json=None)
        _decoded(answer)
        return str(answer.headers.get("etag", ""))

    def tagged(self, path: str, by: Credentials, body: object, *, key: str) -> tuple[Any, str]:
        """What a POST is answered, and the entity tag of what it made."""
        answer = self._exchange("POST", path, by, headers={"idempotency-key": key}, params={}, json=body)
        return _decoded(answer), str(answer.headers.get("etag", ""))

    def upload(self, path: str, by: Credentials, content: bytes) -> Any:
        headers = {"content-type": "application/octet-stream"}
        return _decoded(self._exchange("POST", path, by, headers=headers, params={}, json=None, content=content))

    def forget(self, by: Credentials) -> None:
        """The next call proves itself anew."""
        with self._lock:
            self._tokens.pop(by.client_id, None)

    def token(self, by: Credentials) -> str:
        with self._lock:
            token, good_until = self._tokens.get(by.client_id, ("", 0.0))
            if time.monotonic() < good_until:
                return token
            granted = self._grant(by)
            self._tokens[by.client_id] = (
                granted["access_token"],
                time.monotonic() + float(granted["expires_in"]) - TOKEN_MARGIN_S,
            )
            return str(granted["access_token"])

    def _grant(self, by: Credentials) -> dict[str, Any]:
        if isinstance(by, Person):
            answer = self._send("POST", "/v1/sessions", json={"email": by.client_id, "password": by.client_secret})
        else:
            form = {"grant_type": "client_credentials"}
            answer = self._send("POST", "/oauth/token", data=form, auth=(by.client_id, by.client_secret))
        granted: dict[str, Any] = _decoded(answer)
        return granted

    def _exchange(self, method: str, path: str, by: Credentials | None, **request: Any) -> httpx.Response:
        answer = self._send_as(by, method, path, **request)
        if answer.status_code == httpx.codes.UNAUTHORIZED and by is not None:
            # A revoked or outlived token, or keys that rotated: once more with a fresh one.
            self._tokens.pop(by.client_id, None)
            answer = self._send_as(by, method, path, **request)
        return answer

    def _send_as(
        self, by: Credentials | None, method: str, path: str, *, headers: Mapping[str, str], **request: Any
    ) -> httpx.Response:
        bearer = {"authorization": f"Bearer {self.token(by)}"} if by is not None else {}
        if request["json"] is None:
            del request["json"]
        return self._send(method, path, headers={**headers, **bearer}, **request)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Repeats what got no answer, or was told to come again, until patience ends."""
        limit = time.monotonic() + self._patience_s
        pause_s = PAUSE_S_FIRST
        is_repetition = False
        while True:
            try:
                answer = self._http.request(method, path, **request)
                if answer.status_code not in AGAIN_LATER:
                    answer.extensions["is_repetition"] = is_repetition
                    return answer
                trouble = f"{answer.status_code} {answer.text[:200]}"
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            is_repetition = True
            if self._is_given_up():
                raise GivenUp(f"{method} {path}")
            if time.monotonic() + pause_s > limit:
                raise Unreachable(f"{method} {self.base_url}{path}: {trouble}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)


def _decoded(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        content = answer.json()
    except ValueError:
        content = {"detail": answer.text[:500]}
    if not isinstance(content, dict):
        content = {"detail": str(content)}
    raise Problem(answer.status_code, content, is_repetition=bool(answer.extensions.get("is_repetition")))
