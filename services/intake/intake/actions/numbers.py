"""Reference numbers, reserved in blocks so that a document does not cost a question of its own."""

import asyncio

from kit.database import Database

from intake.store import submissions

BLOCK_NUMBERS = 100


class Numbers:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._left: list[int] = []
        self._taking = asyncio.Lock()

    async def take(self, count: int) -> list[int]:
        """Each number is given once, ever. Those of a process that dies are never given."""
        async with self._taking:
            while len(self._left) < count:
                async with self._db.connection() as connection:
                    block = await submissions.next_block(connection)
                first = (block - 1) * BLOCK_NUMBERS + 1
                self._left += range(first, first + BLOCK_NUMBERS)
            taken, self._left = self._left[:count], self._left[count:]
            return taken
