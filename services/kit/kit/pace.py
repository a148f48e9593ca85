"""Turns that are some time apart while they follow each other; the first after a rest comes at once."""

import asyncio


class Pace:
    def __init__(self, apart_s: float) -> None:
        self._apart_s = apart_s
        self._next_s = 0.0

    def is_due(self) -> bool:
        """Whether it is time again; then it is taken. For what is done by the way, or not at all."""
        now = asyncio.get_running_loop().time()
        if now < self._next_s:
            return False
        self._next_s = now + self._apart_s
        return True

    async def turn(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self._next_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._next_s = loop.time() + self._apart_s
