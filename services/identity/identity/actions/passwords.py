"""Argon2id off the event loop, a few at a time: each hash takes 19 MiB and a core for some 20 ms."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from kit.errors import Unavailable

from identity.domain.people import PASSWORD_CHARS_MAX, password

MEMORY_KIB = 19_456
TIME_COST = 2
PARALLELISM = 1
HASHES_AT_ONCE = 2
HASHES_WAITING_MAX = 64

T = TypeVar("T")


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)
        self._nobodys = self._hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0

    async def hash(self, text: str) -> str:
        return await self._in_turn(self._hasher.hash, password(text))

    async def verify(self, text: str, stored: str | None) -> bool:
        """Takes as long for a person nobody knows (`stored` None)."""
        offered = password(text[:PASSWORD_CHARS_MAX])
        return await self._in_turn(self._matches, stored or self._nobodys, offered) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, offered: str) -> bool:
        try:
            return self._hasher.verify(stored, offered)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[..., T], *values: Any) -> T:
        if self._waiting >= HASHES_WAITING_MAX:
            raise Unavailable("OVERLOADED", "too many sign-ins at once")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *values)
        finally:
            self._waiting -= 1
