"""Who calls: tokens to principals, verified once and remembered until they expire or are revoked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from kit import clock, telemetry
from kit.errors import Forbidden, PortolanError, Unauthenticated
from kit.shared.answers import Answers

AUDIENCE = "portolan"
ALGORITHM = "ES256"
LEEWAY_S = 5
CACHE_TOKENS_MAX = 50_000
FETCH_INTERVAL_S = 0.2
UNKNOWN_KEYS_MAX = 1_000
UNKNOWN_KEY_SECONDS = 60.0
REVOCATIONS_POLL_S = 2.0
# After a hint the question comes at once, and the next no sooner than this.
REVOCATIONS_HINTED_S = 0.2
# How often they are told to others when there are none that are new.
REVOCATIONS_TOLD_EVERY_S = 10.0
REVOCATIONS = "revocations"
# Longer than any token lives.
REVOKED_KEPT_S = 3600.0
SERVICE_TOKEN_SECONDS = 60
SERVICE_PREFIX = "svc."


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. `person` is the human who answers for it: for a machine client, its responsible user."""

    subject: str
    person: str
    organisation_id: str
    organisation_kind: str
    agency: str
    roles: frozenset[str]
    language: str
    token: str
    issued_at: int = 0
    expires_at: int = 0

    def has(self, *roles: str) -> bool:
        return not self.roles.isdisjoint(roles)

    def require(self, *roles: str) -> None:
        """Raises Forbidden unless the caller has one of these roles."""
        if not self.has(*roles):
            raise Forbidden("FORBIDDEN", "this needs the role " + " or ".join(sorted(roles)))


_caller: ContextVar[Principal | None] = ContextVar("caller", default=None)


def caller() -> Principal:
    """The principal of the call being answered. Raises Unauthenticated when there is none."""
    principal = _caller.get()
    if principal is None:
        raise Unauthenticated("UNAUTHENTICATED")
    return principal


def set_caller(principal: Principal | None) -> None:
    _caller.set(principal)


class KeySource(Protocol):
    async def keys(self) -> Mapping[str, str]:
        """Key id → public JWK as JSON."""


@dataclass(frozen=True, slots=True)
class Revoked:
    sequence: int
    subject: str
    revoked_at: float


RevocationSource = Callable[[int], Awaitable[Sequence[Revoked]]]


class TokenVerifier:
    """Algorithm pinned; the key id must be known (one refetch, then a short memory of its absence)."""

    def __init__(self, source: KeySource, service_secret: str = "", told: Answers | None = None) -> None:
        """`told`: what other processes have verified; believed once revocations are known, be it from them."""
        self._told = told
        self._told_at = float("-inf")
        self._knows_revocations = False
        self._source = source
        self._service_secret = service_secret.encode()
        self._keys: dict[str, ECKey] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._unknown: dict[str, float] = {}
        self._cache: dict[str, Principal] = {}
        self._revoked: dict[str, float] = {}
        self._sequence = 0

    async def verify(self, token: str) -> Principal:
        """Raises Unauthenticated."""
        principal = self._cache.get(token)
        if principal is None:
            principal = await self._verify_anew(token)
            if len(self._cache) >= CACHE_TOKENS_MAX:
                self._cache.clear()
            self._cache[token] = principal
        if principal.expires_at + LEEWAY_S < clock.issuer_s() or self._is_revoked(principal):
            self._cache.pop(token, None)
            raise Unauthenticated("UNAUTHENTICATED", "the token has expired or was revoked")
        return principal

    def revoke(self, revoked: Sequence[Revoked]) -> None:
        for one in revoked:
            self._revoked[one.subject] = max(one.revoked_at, self._revoked.get(one.subject, 0.0))
            self._sequence = max(self._sequence, one.sequence)
        if revoked:
            since = clock.issuer_s() - REVOKED_KEPT_S
            self._revoked = {subject: at for subject, at in self._revoked.items() if at > since}

    async def watch_revocations(
        self, source: RevocationSource, stop: asyncio.Event, hint: asyncio.Event | None = None
    ) -> None:
        """Polls every REVOCATIONS_POLL_S, so that a revoked client is refused within five seconds; sooner if hinted."""
        hint = hint or asyncio.Event()
        while not stop.is_set():
            hint.clear()
            try:
                await self._learn(source)
            except PortolanError as error:
                telemetry.log().warning("revocations_unknown", reason=str(error))
                await self._learn_from_others()
            if not await _happens(stop, REVOCATIONS_HINTED_S):
                await _happens(hint, REVOCATIONS_POLL_S - REVOCATIONS_HINTED_S, stop)

    async def _learn(self, source: RevocationSource) -> None:
        news = await source(self._sequence)
        self.revoke(news)
        self._knows_revocations = True
        is_due = time.monotonic() - self._told_at >= REVOCATIONS_TOLD_EVERY_S
        if self._told is not None and (news or is_due):
            self._told_at = time.monotonic()
            await self._told.put(REVOCATIONS, msgspec.json.encode(self._revoked).decode())

    async def _learn_from_others(self) -> None:
        """For a process that starts while identity is away: all that anybody had heard before."""
        told = await self._told.get(REVOCATIONS) if self._told is not None and not self._knows_revocations else None
        with contextlib.suppress(msgspec.DecodeError):
            if told is not None:
                self._revoked |= msgspec.json.decode(told, type=dict[str, float])
                self._knows_revocations = True

    def _is_revoked(self, principal: Principal) -> bool:
        revoked_at = self._revoked.get(principal.subject)
        return revoked_at is not None and principal.issued_at <= revoked_at

    async def _verify_anew(self, token: str) -> Principal:
        if token.startswith(SERVICE_PREFIX):
            return open_service_token(token, self._service_secret)
        if self._told is None or not self._knows_revocations:
            return await self._checked(token)
        principal = _as_told(await self._told.get(token), token)
        if principal is None:
            principal = await self._checked(token)
            await self._told.put(token, _to_tell(principal), principal.expires_at - clock.issuer_s())
        return principal

    async def _checked(self, token: str) -> Principal:
        try:
            key = await self._key(_key_id(token))
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            _CLAIMS.validate(claims)
            return _principal(claims, token)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise Unauthenticated("UNAUTHENTICATED", "the token is not valid") from error

    async def _key(self, key_id: str) -> ECKey:
        if key_id not in self._keys:
            await self._fetch(key_id)
        if key_id not in self._keys:
            raise Unauthenticated("UNAUTHENTICATED", "the token is not valid")
        return self._keys[key_id]

    async def _fetch(self, key_id: str) -> None:
        """One fetch at a time and not too often: a stranger's key ids make strangers wait, nobody else."""
        async with self._fetching:
            now = time.monotonic()
            if key_id in self._keys or now - self._unknown.get(key_id, float("-inf")) < UNKNOWN_KEY_SECONDS:
                return
            await asyncio.sleep(max(0.0, self._fetched_at + FETCH_INTERVAL_S - now))
            found = await self._source.keys()
            self._keys = {name: ECKey.import_key(msgspec.json.decode(jwk)) for name, jwk in found.items()}
            self._fetched_at = time.monotonic()
            if key_id not in self._keys:
                self._remember_unknown(key_id)

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown) >= UNKNOWN_KEYS_MAX:
            self._unknown.clear()
        self._unknown[key_id] = self._fetched_at


async def _happens(event: asyncio.Event, within_s: float, *others: asyncio.Event) -> bool:
    waits = [asyncio.create_task(one.wait()) for one in (event, *others)]
    done, _ = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return bool(done)


def _to_tell(principal: Principal) -> str:
    return msgspec.json.encode(replace(principal, token="")).decode()


def _as_told(told: str | None, token: str) -> Principal | None:
    """Nothing when an earlier or later release told it in other words."""
    try:
        return None if told is None else replace(msgspec.json.decode(told, type=Principal), token=token)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


_CLAIMS = jwt.JWTClaimsRegistry(
    now=lambda: int(clock.issuer_s()),
    leeway=LEEWAY_S,
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
)


def _key_id(token: str) -> str:
    header = token.split(".", 1)[0]
    decoded = msgspec.json.decode(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return str(decoded["kid"])


def _principal(claims: Mapping[str, Any], token: str) -> Principal:
    return Principal(
        subject=str(claims["sub"]),
        person=str(claims["person"]),
        organisation_id=str(claims["org"]),
        organisation_kind=str(claims["org_kind"]),
        agency=str(claims.get("agency", "")),
        roles=frozenset(map(str, claims["roles"])),
        language=str(claims.get("lang", "")),
        token=token,
        issued_at=int(claims["iat"]),
        expires_at=int(claims["exp"]),
    )


def in_language(principal: Principal, language: str) -> Principal:
    return replace(principal, language=language) if language else principal


def service_token(service: str, secret: str) -> str:
    """One service proves to another who it is: name, expiry and their HMAC under the secret both hold."""
    body = f"{service}.{int(clock.epoch_s()) + SERVICE_TOKEN_SECONDS}"
    return f"{SERVICE_PREFIX}{body}.{_seal(body, secret.encode())}"


def open_service_token(token: str, secret: bytes) -> Principal:
    body, _, seal = token.removeprefix(SERVICE_PREFIX).rpartition(".")
    service, _, expires_at = body.partition(".")
    if not secret or not expires_at.isdigit() or not hmac.compare_digest(seal.encode(), _seal(body, secret).encode()):
        raise Unauthenticated("UNAUTHENTICATED", "the service token is not valid")
    return Principal(
        subject=f"service:{service}",
        person=f"service:{service}",
        organisation_id="",
        organisation_kind="service",
        agency="",
        roles=frozenset({"service"}),
        language="",
        token=token,
        # Each service dates its own by a clock that may run ahead or behind.
        expires_at=int(expires_at) + int(clock.APART_S_MAX),
    )


def _seal(body: str, secret: bytes) -> str:
    return hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
