"""Signs of life of processes that nobody can ask, left in their own database for the one that can be asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from kit.database import Database, Tx
from kit.errors import PortolanError

BEAT_EVERY_S = 2.0
BEAT_S_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Beat:
    """As it is now; ages in seconds by the database's clock, which all that beat here share."""

    process: str
    silent_s: float
    is_bus_there: bool | None
    is_waiting: bool
    heard_s: float | None
    behind_s: float | None


class Heartbeat:
    """What a process says of itself every BEAT_EVERY_S, in one small statement that waits for no disk."""

    def __init__(self, database: Database, process: str) -> None:
        self._database = database
        self._process = process
        self._is_waiting = False
        self._is_bus_there: bool | None = None
        self._behind_s: float | None = None

    def bus_answered(self, did: bool) -> None:
        self._is_bus_there = did

    def heard(self, behind_s: float) -> None:
        """It had its effect; it was so old then."""
        self._behind_s = behind_s

    def waits(self, does: bool) -> None:
        """For something else than the bus, without which it cannot go on."""
        self._is_waiting = does

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """As long as the block lasts."""
        running = asyncio.create_task(self._run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(PortolanError, psycopg.Error, TimeoutError):
                async with asyncio.timeout(BEAT_S_MAX):
                    await self.beat()
            await asyncio.sleep(BEAT_EVERY_S)

    async def beat(self) -> None:
        behind_s, self._behind_s = self._behind_s, None
        async with self._database.connection() as connection:
            await connection.execute(_BEAT, [self._process, self._is_bus_there, self._is_waiting, behind_s, behind_s])


# What is not said anew stays: of two processes of a kind, one may have nothing to do.
_BEAT = """
with quick as (select set_config('synchronous_commit', 'off', true))
insert into heartbeats (process, beat_at, is_bus_there, is_waiting, behind_seconds, heard_at)
select %s, now(), %s, %s, %s::double precision, case when %s::double precision is not null then now() end from quick
on conflict (process) do update set
    beat_at = excluded.beat_at,
    is_bus_there = excluded.is_bus_there,
    is_waiting = excluded.is_waiting,
    behind_seconds = coalesce(excluded.behind_seconds, heartbeats.behind_seconds),
    heard_at = coalesce(excluded.heard_at, heartbeats.heard_at)
"""


async def beats(tx: Tx) -> Mapping[str, Beat]:
    cursor = await tx.cursor(row_factory=class_row(Beat)).execute(
        """
        select process, extract(epoch from now() - beat_at)::double precision as silent_s, is_bus_there, is_waiting,
            extract(epoch from now() - heard_at)::double precision as heard_s, behind_seconds as behind_s
        from heartbeats
        """
    )
    return {beat.process: beat for beat in await cursor.fetchall()}
