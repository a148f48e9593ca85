"""Publishes a service's outbox: one relay at a time per database, in order, marked only when durable on the bus."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg

from kit import clock, outbox, telemetry
from kit.bus import Publisher
from kit.database import Database, Tx
from kit.errors import PortolanError
from kit.events import Event

BATCH_EVENTS_MAX = 500
LOCK_KEY = 0x72656C61
POLL_S = 1.0
RETRY_S = 0.5
KEEP_DAYS = 14
FORGET_EVERY_S = 600.0
FORGET_BATCH_MAX = 5_000


class Relay:
    """NOTIFY wakes it; the poll each second is what it relies on."""

    def __init__(self, service: str, database: Database, publisher: Publisher) -> None:
        self._service = service
        self._database = database
        self._publisher = publisher

    async def run(self, stop: asyncio.Event) -> None:
        hint = asyncio.Event()
        listener = asyncio.create_task(self._listen(hint))
        forgetter = asyncio.create_task(self._forget())
        try:
            while not stop.is_set():
                if await self._drain_once() == 0:
                    await _wait_any(POLL_S, hint, stop)
                    hint.clear()
        finally:
            for task in (listener, forgetter):
                task.cancel()
            await asyncio.gather(listener, forgetter, return_exceptions=True)
            await self._publisher.close()

    async def _drain_once(self) -> int:
        try:
            return await self.publish_batch()
        except (PortolanError, psycopg.Error) as error:
            telemetry.log().warning("relay_waits", reason=str(error))
            await asyncio.sleep(RETRY_S)
            return 0

    async def publish_batch(self) -> int:
        """Publishes up to BATCH_EVENTS_MAX; 0 when nothing waits or another relay has the lock."""
        async with self._database.transaction() as tx:
            if not await _is_alone(tx):
                return 0
            rows = await outbox.unpublished(tx, BATCH_EVENTS_MAX)
            telemetry.OUTBOX_OLDEST_SECONDS.labels(self._service).set(_age_s(rows[0][1]) if rows else 0)
            if rows:
                await self._publisher.publish([event for _, event in rows])
                await outbox.mark_published(tx, [row_id for row_id, _ in rows])
            return len(rows)

    async def _listen(self, hint: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(self._database.url, autocommit=True) as connection:
                    await connection.execute(f"listen {outbox.CHANNEL}")
                    async for _ in connection.notifies():
                        hint.set()
            await asyncio.sleep(RETRY_S)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            with contextlib.suppress(PortolanError, psycopg.Error):
                await self.forget_old()

    async def forget_old(self) -> None:
        """All of it, in batches short enough to disturb nobody."""
        forgotten = FORGET_BATCH_MAX
        while forgotten == FORGET_BATCH_MAX:
            async with self._database.transaction() as tx:
                forgotten = await outbox.forget_published(tx, KEEP_DAYS, FORGET_BATCH_MAX)


def _age_s(event: Event) -> float:
    return (clock.now() - event.time).total_seconds()


async def _is_alone(tx: Tx) -> bool:
    cursor = await tx.execute("select pg_try_advisory_xact_lock(%s)", [LOCK_KEY])
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _wait_any(timeout_s: float, *events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
