"""How often each caller may ask, by class of route.

A counter that several gateways share is not asked on every request: each takes a hundredth of the allowance at a time
and spends it by itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kit import telemetry
from kit.errors import Busy
from limits import RateLimitItemPerMinute
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from gateway.settings import GatewaySettings

WINDOW_S = 60
LEASES_PER_WINDOW = 100
LEASES_MAX = 50_000

SUBMISSIONS, READS, WRITES, OPEN_READS, SIGN_INS = "submissions", "reads", "writes", "open_reads", "sign_ins"
SIGN_IN_FAILURES = "sign_in_failures"
UPLOADS = "uploads"
SIGN_UPS = "sign_ups"
UNLIMITED = "unlimited"


@dataclass(slots=True)
class _Lease:
    until: float
    left: int


class Rates:
    def __init__(self, settings: GatewaySettings) -> None:
        storage = storage_from_string(settings.rate_storage_url, wrap_exceptions=True)
        self._strategy = FixedWindowRateLimiter(storage)
        self._leases: dict[tuple[str, str], _Lease] = {}
        self._limits: Mapping[str, RateLimitItemPerMinute] = {
            name: RateLimitItemPerMinute(getattr(settings, f"{name}_per_minute"))
            for name in (SUBMISSIONS, READS, WRITES, OPEN_READS, SIGN_INS, SIGN_IN_FAILURES, UPLOADS, SIGN_UPS)
        }

    async def take(self, route_class: str, who: str, cost: int = 1) -> None:
        """Raises Busy when the allowance is spent. Without its storage it allows: a limit protects, it is no rule."""
        lease = self._leases.get((route_class, who))
        if lease is not None and lease.left >= cost and lease.until > time.time():
            lease.left -= cost
            return
        try:
            await self._lease(route_class, who, cost)
        except StorageError as error:
            telemetry.log().warning("rate_limits_unknown", reason=str(error))

    async def _lease(self, route_class: str, who: str, cost: int) -> None:
        limit = self._limits[route_class]
        for size in (max(cost, limit.amount // LEASES_PER_WINDOW), cost):
            if await self._strategy.test(limit, route_class, who, cost=size):
                await self._strategy.hit(limit, route_class, who, cost=size)
                await self._keep(route_class, who, size - cost)
                return
        raise await self._busy(route_class, who)

    async def _keep(self, route_class: str, who: str, left: int) -> None:
        if len(self._leases) >= LEASES_MAX:
            self._leases.clear()
        stats = await self._strategy.get_window_stats(self._limits[route_class], route_class, who)
        self._leases[route_class, who] = _Lease(stats.reset_time, left)

    async def refuse_guessers(self, who: str) -> None:
        """Raises Busy after too many failed sign-ins under this name from this address."""
        try:
            if not await self._strategy.test(self._limits[SIGN_IN_FAILURES], SIGN_IN_FAILURES, who):
                raise await self._busy(SIGN_IN_FAILURES, who)
        except StorageError as error:
            telemetry.log().warning("rate_limits_unknown", reason=str(error))

    async def sign_in_failed(self, who: str) -> None:
        try:
            await self._strategy.hit(self._limits[SIGN_IN_FAILURES], SIGN_IN_FAILURES, who)
        except StorageError as error:
            telemetry.log().warning("rate_limits_unknown", reason=str(error))

    async def _busy(self, route_class: str, who: str) -> Busy:
        limit = self._limits[route_class]
        stats = await self._strategy.get_window_stats(limit, route_class, who)
        wait_s = max(1, round(stats.reset_time - time.time()))
        facts = {
            "retry_after_seconds": str(wait_s),
            "rate_limit": f'"{route_class}";r=0;t={wait_s}',
            "rate_limit_policy": f'"{route_class}";q={limit.amount};w={WINDOW_S}',
        }
        return Busy("RATE_LIMITED", f"at most {limit.amount} a minute of {route_class}", facts=facts)
