"""How often each caller may ask, by class of route.

The count is shared by all gateways, and none of them asks for it on every request: each takes a hundredth of the
allowance at a time and spends it by itself. All together they never allow more than the limit in a window; what a
gateway has taken and not spent, at most that hundredth, is lost to the others until the window ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from kit.errors import Busy
from kit.shared import Grant, Shared, opaque

from gateway.settings import GatewaySettings

WINDOW_S = 60
LEASES_PER_WINDOW = 100
LEASES_MAX = 50_000
# Twice, because a window may end while its count is asked for.
ASKS_MAX = 2
SAME_WINDOW_S = 0.5

SUBMISSIONS, READS, WRITES, OPEN_READS, SIGN_INS = "submissions", "reads", "writes", "open_reads", "sign_ins"
SIGN_IN_FAILURES = "sign_in_failures"
UPLOADS = "uploads"
SIGN_UPS = "sign_ups"
UNLIMITED = "unlimited"


@dataclass(slots=True)
class _Lease:
    """`beyond`: what the shared count had left when it was asked last; it only gets less until the window ends."""

    left: int = 0
    beyond: int = 0
    until: float = 0.0
    waiting: int = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_over(self) -> bool:
        return self.until <= time.monotonic()

    def spends(self, cost: int) -> bool:
        if self.is_over or self.left < cost:
            return False
        self.left -= cost
        return True

    def may_get(self, cost: int) -> bool:
        return self.is_over or self.left + self.beyond >= cost

    def receive(self, grant: Grant) -> None:
        until = time.monotonic() + grant.expires_in_ms / 1000
        is_same_window = not self.is_over and abs(until - self.until) < SAME_WINDOW_S
        self.left = grant.granted + (self.left if is_same_window else 0)
        self.beyond = grant.left
        self.until = until


class Rates:
    def __init__(self, settings: GatewaySettings, shared: Shared) -> None:
        self._shared = shared
        self._secret = settings.service_secret
        self._leases: dict[tuple[str, str], _Lease] = {}
        self._limits: Mapping[str, int] = {
            name: getattr(settings, f"{name}_per_minute")
            for name in (SUBMISSIONS, READS, WRITES, OPEN_READS, SIGN_INS, SIGN_IN_FAILURES, UPLOADS, SIGN_UPS)
        }

    async def take(self, route_class: str, who: str, cost: int = 1) -> None:
        """Raises Busy when the allowance is spent."""
        lease = self._lease(route_class, who)
        if lease.spends(cost):
            return
        lease.waiting += cost
        try:
            async with lease.asking:
                await self._spend(lease, route_class, who, cost)
        finally:
            lease.waiting -= cost

    async def _spend(self, lease: _Lease, route_class: str, who: str, cost: int) -> None:
        """One asks for all who wait; those after it find what it brought."""
        for _ in range(ASKS_MAX):
            if lease.spends(cost):
                return
            if lease.may_get(cost):
                need = cost if lease.is_over else cost - lease.left
                want = max(self._limits[route_class] // LEASES_PER_WINDOW, lease.waiting)
                lease.receive(await self._ask(route_class, who, need, max(need, want)))
        if not lease.spends(cost):
            raise self._busy(route_class, lease.until - time.monotonic())

    def _lease(self, route_class: str, who: str) -> _Lease:
        lease = self._leases.get((route_class, who))
        if lease is None:
            while len(self._leases) >= LEASES_MAX:
                del self._leases[next(iter(self._leases))]
            lease = self._leases[route_class, who] = _Lease()
        return lease

    async def refuse_guessers(self, who: str) -> None:
        """Raises Busy after too many failed sign-ins under this name from this address."""
        grant = await self._ask(SIGN_IN_FAILURES, who, 0, 0)
        if grant.left == 0:
            raise self._busy(SIGN_IN_FAILURES, grant.expires_in_ms / 1000)

    async def sign_in_failed(self, who: str) -> None:
        await self._ask(SIGN_IN_FAILURES, who, 1, 1)

    async def _ask(self, route_class: str, who: str, need: int, want: int) -> Grant:
        key = f"rate:{route_class}:{opaque(self._secret, who)}"
        limit = self._limits[route_class]
        return await self._shared.take(key, need=need, want=want, limit=limit, window_ms=WINDOW_S * 1000)

    def _busy(self, route_class: str, seconds: float) -> Busy:
        limit = self._limits[route_class]
        wait_s = max(1, round(seconds))
        facts = {
            "retry_after_seconds": str(wait_s),
            "rate_limit": f'"{route_class}";r=0;t={wait_s}',
            "rate_limit_policy": f'"{route_class}";q={limit};w={WINDOW_S}',
        }
        return Busy("RATE_LIMITED", f"at most {limit} a minute of {route_class}", facts=facts)
