"""The port for one process alone: what it shares, it shares with itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from kit.shared import VALUE_BYTES_MAX, Grant

KEYS_MAX = 50_000
WORDS_WAITING_MAX = 10_000


@dataclass(slots=True)
class _Window:
    until: float
    used: int = 0


class InProcess:
    """Bounded: the key that was first is forgotten first."""

    is_away = False

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._values: dict[str, tuple[float, bytes]] = {}
        self._ears: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    async def take(self, key: str, *, need: int, want: int, limit: int, window_ms: int) -> Grant:
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or window.until <= now:
            window = _Window(now + window_ms / 1000)
        left = max(0, limit - window.used)
        granted = min(want, left) if left >= need else 0
        if granted:
            window.used += granted
            self._windows.pop(key, None)
            _make_room(self._windows)
            self._windows[key] = window
        return Grant(granted, left - granted, max(1, round((window.until - now) * 1000)))

    async def get(self, key: str) -> bytes | None:
        until, value = self._values.get(key, (0.0, b""))
        return value if until > time.monotonic() else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if len(value) <= VALUE_BYTES_MAX:
            self._values.pop(key, None)
            _make_room(self._values)
            self._values[key] = (time.monotonic() + ttl_s, value)

    async def say(self, channel: str, words: Sequence[str]) -> None:
        for ear in self._ears.get(channel, ()):
            for word in words:
                with contextlib.suppress(asyncio.QueueFull):
                    ear.put_nowait(word)

    @contextlib.asynccontextmanager
    async def hear(self, channel: str) -> AsyncGenerator[AsyncIterator[str], None]:
        ear: asyncio.Queue[str] = asyncio.Queue(WORDS_WAITING_MAX)
        self._ears[channel].add(ear)
        try:
            yield _words(ear)
        finally:
            self._ears[channel].discard(ear)
            if not self._ears[channel]:
                del self._ears[channel]

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    async def close(self) -> None:
        self._windows.clear()
        self._values.clear()


def _make_room(kept: dict[str, _Window] | dict[str, tuple[float, bytes]]) -> None:
    while len(kept) >= KEYS_MAX:
        del kept[next(iter(kept))]


async def _words(ear: asyncio.Queue[str]) -> AsyncIterator[str]:
    while True:
        yield await ear.get()
