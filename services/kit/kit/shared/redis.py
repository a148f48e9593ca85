"""The port on Redis. Whatever goes wrong, or takes longer than TIMEOUT_MS, is Away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kit.shared import VALUE_BYTES_MAX, Away, Grant

TIMEOUT_MS = 100
SUBSCRIBE_TIMEOUT_MS = 1_000
CONNECTIONS_MAX = 32
WORDS_AT_ONCE_MAX = 500
# All that is ours begins so; the number changes when what a key holds does.
PREFIX = "portolan:1:"
PROBE_WINDOW_MS = 1_000

TAKE = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local need, want, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = math.max(0, limit - used)
local granted = 0
if left >= need then granted = math.min(want, left) end
if granted > 0 then redis.call('INCRBY', KEYS[1], granted) end
local expires = redis.call('PTTL', KEYS[1])
if expires == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
if expires < 0 then expires = tonumber(ARGV[4]) end
return {granted, left - granted, expires}
"""


class RedisShared:
    """`redis://`, `rediss://` or `unix://`. The server evicts as it likes and may forget everything at any time."""

    is_away = False

    def __init__(self, url: str) -> None:
        self._timeout_ms = TIMEOUT_MS
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=self._timeout_ms / 1000,
            socket_timeout=self._timeout_ms / 1000,
            socket_connect_timeout=self._timeout_ms / 1000,
            retry=Retry(NoBackoff(), 0),
        )
        self._client: Redis = Redis(connection_pool=self._pool)
        self._take = self._client.register_script(TAKE)

    async def take(self, key: str, *, need: int, want: int, limit: int, window_ms: int) -> Grant:
        async with _in_time(self._timeout_ms):
            granted, left, expires = await self._take(keys=[PREFIX + key], args=[need, want, limit, window_ms])
        return Grant(int(granted), int(left), max(1, int(expires)))

    async def get(self, key: str) -> bytes | None:
        async with _in_time(self._timeout_ms):
            value = await self._client.get(PREFIX + key)
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if len(value) <= VALUE_BYTES_MAX:
            async with _in_time(self._timeout_ms):
                await self._client.set(PREFIX + key, value, px=max(1, round(ttl_s * 1000)))

    async def say(self, channel: str, words: Sequence[str]) -> None:
        for some in _portions(words):
            async with _in_time(self._timeout_ms):
                await self._client.publish(PREFIX + channel, "\n".join(some))

    @contextlib.asynccontextmanager
    async def hear(self, channel: str) -> AsyncGenerator[AsyncIterator[str], None]:
        subscription: PubSub = self._client.pubsub()
        try:
            async with _in_time(SUBSCRIBE_TIMEOUT_MS):
                await subscription.subscribe(PREFIX + channel)
                await subscription.get_message(timeout=SUBSCRIBE_TIMEOUT_MS / 1000)
            yield _words(subscription)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await subscription.aclose()  # type: ignore[no-untyped-call, unused-ignore]

    async def probe(self) -> None:
        """Whether it takes what we write, not merely whether it is there."""
        await self.take("probe", need=1, want=1, limit=1, window_ms=PROBE_WINDOW_MS)

    async def forget_connections(self) -> None:
        """Those that nobody uses now: after a loss, none of them can be trusted."""
        with contextlib.suppress(RedisError, OSError):
            await self._pool.disconnect(inuse_connections=False)

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    async def close(self) -> None:
        await self._client.aclose()
        await self._pool.disconnect()


@contextlib.asynccontextmanager
async def _in_time(milliseconds: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(milliseconds / 1000):
            yield
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        raise Away(type(error).__name__) from error


def _portions(words: Sequence[str]) -> Iterator[Sequence[str]]:
    return (words[start : start + WORDS_AT_ONCE_MAX] for start in range(0, len(words), WORDS_AT_ONCE_MAX))


async def _words(subscription: PubSub) -> AsyncIterator[str]:
    while True:
        try:
            message: dict[str, Any] | None = await subscription.get_message(True, timeout=None)
        except (RedisError, OSError) as error:
            raise Away(type(error).__name__) from error
        if message is not None:
            for word in message["data"].decode(errors="replace").split("\n"):
                yield word
