"""Time as the history has it, and identifiers that come out the same again."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

VERSION, VARIANT = 7, 2
COUNTER_BITS, NOISE_BITS = 42, 32


class Time:
    def __init__(self, seed: int, start: datetime) -> None:
        self._seed = seed
        self._now = start
        self._made = 0

    def now(self) -> datetime:
        return self._now

    def at(self, moment: datetime) -> None:
        self._now = moment

    def later(self, span: timedelta) -> None:
        self._now += span

    def new_id(self) -> str:
        """A UUIDv7 of this time: the moment, then a count, then what the seed makes of it."""
        self._made += 1
        noise = hashlib.blake2b(f"{self._seed}/{self._made}".encode(), digest_size=NOISE_BITS // 8).digest()
        tail = (self._made % (1 << COUNTER_BITS)) << NOISE_BITS | int.from_bytes(noise, "big")
        milliseconds = int(self._now.timestamp() * 1000)
        number = milliseconds << 80 | VERSION << 76 | (tail >> 62) << 64 | VARIANT << 62 | (tail & ((1 << 62) - 1))
        return str(uuid.UUID(int=number))
