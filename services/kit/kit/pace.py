"""Turns that are some time apart while they follow each other; the first after a rest comes at once."""

import asyncio


class Pace:
    def __init__(self, apart_s: float) -> None:
        self._apart_s = apart_s
        self._next_s = 0.0

    async def turn(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self._next_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._next_s = loop.time() + self._apart_s
