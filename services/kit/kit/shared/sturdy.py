"""Redis as long as it answers, this process alone while it does not, and nobody who asks ever waits for the change.

The first failure opens the circuit. From then on only a probe in the background asks Redis; the first that succeeds
closes it again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from kit import telemetry
from kit.shared import Away, Grant
from kit.shared.inprocess import InProcess
from kit.shared.redis import RedisShared

PROBE_EVERY_S = 1.0


class Sturdy:
    """Raises from `hear` alone. While Redis is away it allows one part in `sharers` of every limit: others do too."""

    def __init__(self, redis: RedisShared, sharers: int) -> None:
        self._redis = redis
        self._alone = InProcess()
        self._sharers = max(1, sharers)
        self._is_away = False
        telemetry.REDIS_AWAY.set(0)

    @property
    def is_away(self) -> bool:
        return self._is_away

    async def take(self, key: str, *, need: int, want: int, limit: int, window_ms: int) -> Grant:
        if not self._is_away:
            try:
                return await self._redis.take(key, need=need, want=want, limit=limit, window_ms=window_ms)
            except Away as away:
                self._lost(away)
        own = max(1, limit // self._sharers)
        return await self._alone.take(key, need=need, want=min(want, own), limit=own, window_ms=window_ms)

    async def get(self, key: str) -> bytes | None:
        if not self._is_away:
            try:
                return await self._redis.get(key)
            except Away as away:
                self._lost(away)
        return None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if not self._is_away:
            try:
                await self._redis.put(key, value, ttl_s)
            except Away as away:
                self._lost(away)

    async def say(self, channel: str, words: Sequence[str]) -> None:
        if not self._is_away:
            try:
                await self._redis.say(channel, words)
            except Away as away:
                self._lost(away)

    def hear(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self._redis.hear(channel)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._redis.probe()
                self._found()
            except Away as away:
                self._lost(away)
                await self._redis.forget_connections()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PROBE_EVERY_S)

    async def close(self) -> None:
        await self._redis.close()
        await self._alone.close()

    def _lost(self, away: Away) -> None:
        if not self._is_away:
            self._is_away = True
            telemetry.REDIS_AWAY.set(1)
            telemetry.log().warning("redis_away", reason=str(away), probe_every_s=PROBE_EVERY_S)

    def _found(self) -> None:
        if self._is_away:
            self._is_away = False
            telemetry.REDIS_AWAY.set(0)
            telemetry.log().warning("redis_back")
