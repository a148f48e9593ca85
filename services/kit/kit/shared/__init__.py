"""What processes share to be fast, and may lose at any moment: counts, answers, hints. One port, two adapters.

Nothing here is the truth of anything. Without it the system is slower or stricter, never wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

# A value larger than this is not worth sharing.
VALUE_BYTES_MAX = 256 * 1024
LISTEN_AGAIN_S = 1.0
DIGEST_BYTES = 16


class Away(Exception):
    """What is shared cannot be reached now, or is too slow."""


@dataclass(frozen=True, slots=True)
class Grant:
    """`left` is what others may still take before the window ends."""

    granted: int
    left: int
    expires_in_ms: int


class Shared(Protocol):
    """Every method but those that say otherwise raises Away."""

    async def take(self, key: str, *, need: int, want: int, limit: int, window_ms: int) -> Grant:
        """Takes `want` from what `key` allows in a window that began with its first taking; what is left when that is
        less, nothing when it is less than `need`. All takers together never get more than `limit` in a window."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Nothing happens to a value over VALUE_BYTES_MAX."""

    async def say(self, channel: str, words: Sequence[str]) -> None:
        """To whoever listens now; nobody has to."""

    def hear(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Every word said from the moment the block is entered; some are lost when they come too fast to be read."""

    @property
    def is_away(self) -> bool:
        """Never raises."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps `is_away` true to life. Never raises."""

    async def close(self) -> None: ...


class Listener:
    """Hears a channel for ever; `is_hearing` says whether hints can be counted on for now."""

    def __init__(self, shared: Shared, channel: str, heard: Callable[[str], None]) -> None:
        self._shared = shared
        self._channel = channel
        self._heard = heard
        self._is_subscribed = False

    @property
    def is_hearing(self) -> bool:
        return self._is_subscribed and not self._shared.is_away

    async def run(self) -> None:
        while True:
            try:
                async with self._shared.hear(self._channel) as words:
                    self._is_subscribed = True
                    async for word in words:
                        self._heard(word)
            except Away:
                await asyncio.sleep(LISTEN_AGAIN_S)
            finally:
                self._is_subscribed = False


def opaque(secret: str, name: str) -> str:
    """A name for a key that tells nobody what it stands for, not even who knows what to try."""
    key = hashlib.sha256(secret.encode()).digest()
    return hashlib.blake2b(name.encode(), key=key, digest_size=DIGEST_BYTES).hexdigest()
