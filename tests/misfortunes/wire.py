"""Public HTTP as a careful client uses it: the same key again with growing pauses, and every write in the history."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from portolan_cli.client import Credentials, Problem, Unreachable
from portolan_cli.reference.wire import AGAIN_LATER, NoAnswer, Reply, Wire

from tests.misfortunes.history import FAILED, OK, UNKNOWN, Line, Recorder, digest_of_json

ATTEMPT_S_MAX = 10.0
PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 2.0
RETRIES_S_MAX = 60.0
AGAIN = AGAIN_LATER | {401, 500}
KEPT_MEMBERS = ("id", "reference", "code")


@dataclass(frozen=True)
class Asked:
    """A write as it can be asked again, byte for byte."""

    number: int
    path: str
    by: Credentials
    body: bytes
    head: Mapping[str, str]


@dataclass
class RecordedWire(Wire):
    """`now` is seconds of the run. What is left unanswered is in `open`, to be settled when all is well."""

    recorder: Recorder | None = None
    now: Callable[[], float] = time.monotonic
    retries_s: float = RETRIES_S_MAX
    open: dict[int, Asked] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    async def post(self, path: str, by: Credentials, body: object, **head: str) -> Reply:
        """Raises NoAnswer when nobody answered in RETRIES_S_MAX: then nobody knows whether it happened."""
        raw = json.dumps(body, ensure_ascii=False).encode()
        return await self.write(_name(path), path, by, raw, head, document=_document(head), who=by.client_id)

    async def write(
        self,
        name: str,
        path: str,
        by: Credentials,
        raw: bytes,
        head: Mapping[str, str],
        *,
        document: int,
        who: str,
        intended: float | None = None,
    ) -> Reply:
        asked = Asked(self._numbers(), path, by, raw, head)
        at = self.now()
        due = at if intended is None else intended
        key, sent = head.get("idempotency_key", ""), digest_of_json(raw)
        self.record(Line("invoked", at, asked.number, name, document, who, path, key, digest=sent, intended=due))
        reply = await self._answered(asked)
        if name == "submit":
            self.latencies_ms.append((self.now() - due) * 1000)
        return reply

    async def again(self, asked: Asked) -> Reply:
        """The very same write once more."""
        return await self._answered(asked)

    async def settle(self) -> list[tuple[Asked, Reply]]:
        """Everything that nobody answered is asked again; what is answered now."""
        settled = []
        for asked in list(self.open.values()):
            with suppress(NoAnswer):
                settled.append((asked, await self.again(asked)))
        return settled

    async def call(
        self, method: str, path: str, by: Credentials, body: bytes = b"", head: Mapping[str, str] | None = None
    ) -> Reply:
        reply, trouble, _ = await self._patiently(method, path, by, body, head or {})
        if reply is None:
            raise NoAnswer(f"{method} {path}: {trouble}")
        return reply

    async def _answered(self, asked: Asked) -> Reply:
        reply, trouble, attempts = await self._patiently("POST", asked.path, asked.by, asked.body, asked.head)
        if reply is None:
            self.open[asked.number] = asked
            line = Line("answered", self.now(), asked.number, outcome=UNKNOWN, attempts=attempts, trouble=trouble[:200])
            self.record(line)
            raise NoAnswer(f"POST {asked.path}: {trouble}")
        self.open.pop(asked.number, None)
        outcome = OK if reply.status < 300 else FAILED
        content = reply.content if isinstance(reply.content, dict) else {}
        answer = {name: content[name] for name in KEPT_MEMBERS if name in content}
        answered: dict[str, Any] = {"outcome": outcome, "status": reply.status, "answer": answer, "attempts": attempts}
        self.record(Line("answered", self.now(), asked.number, **answered))
        return reply

    async def _patiently(
        self, method: str, path: str, by: Credentials, body: bytes, head: Mapping[str, str]
    ) -> tuple[Reply | None, str, int]:
        """Full jitter: the pauses of many clients must not come together."""
        limit, attempts, trouble = time.monotonic() + self.retries_s, 0, ""
        while time.monotonic() < limit:
            attempts += 1
            try:
                token = await self._token(by)
                async with asyncio.timeout(ATTEMPT_S_MAX):
                    reply = await self._exchange(method, path, token, body, head)
            except (OSError, asyncio.IncompleteReadError, TimeoutError, Unreachable, Problem) as error:
                trouble = repr(error)
                self.statuses[type(error).__name__] += 1
            else:
                self.statuses[str(reply.status)] += 1
                if reply.status not in AGAIN:
                    return reply, "", attempts
                trouble = f"{reply.status} {reply.code}"
                if reply.status == 401:
                    self._forget(by)
            await asyncio.sleep(random.uniform(0, min(PAUSE_S_MAX, PAUSE_S_FIRST * 2**attempts)))
        return None, trouble, attempts

    def _forget(self, by: Credentials) -> None:
        self._tokens.pop(by.client_id, None)
        self.portolan.forget(by)

    def record(self, line: Line) -> None:
        if self.recorder is not None:
            self.recorder.write(line)


def _name(path: str) -> str:
    last = path.rpartition("/")[2]
    return last.rpartition(":")[2] if ":" in last else last


def _document(head: Mapping[str, str]) -> int:
    """Players' keys are run, document and act."""
    parts = head.get("idempotency_key", "").split("-")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
