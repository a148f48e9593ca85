"""Publishes a service's outbox: one relay at a time per database, in order, marked only when durable on the bus."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import datetime

import psycopg

from kit import clock, outbox, replays, telemetry, trace
from kit.bus import Publisher
from kit.database import Database, Tx
from kit.errors import PortolanError
from kit.events import Event
from kit.heartbeat import Heartbeat
from kit.pace import Pace
from kit.shared import Shared
from kit.shared.inprocess import InProcess

BATCH_EVENTS_MAX = 500
LOCK_KEY = 0x72656C61
POLL_S = 1.0
# While facts keep coming they are published so far apart, together.
BATCH_FORMS_S = 0.05
RETRY_S = 0.5
# How long a bus that was exchanged for an empty one may go unnoticed, if no publishing failed meanwhile.
CLUSTER_CHECK_S = 1.0
MEASURE_S = 1.0
FORGET_EVERY_S = 600.0
FORGET_BATCH_MAX = 5_000
# The index of what waits is small and always right; statistics of the table are often neither.
SESSION_OPTIONS = "-c enable_seqscan=off"
CONNECTIONS_MAX = 3


class Relay:
    """NOTIFY wakes it; the poll each second is what it relies on.

    To `hints` it says, under each topic's name, whom new facts are about: for those who wait for news of them.
    """

    def __init__(self, service: str, database: Database, publisher: Publisher, hints: Shared | None = None) -> None:
        self._hints = hints or InProcess()
        self._fresh: Sequence[Event] = ()
        self._service = service
        self._database = database
        self._publisher = publisher
        self._checked_at: float | None = None
        self._oldest: datetime | None = None
        self._heartbeat = Heartbeat(database, "relay")

    async def run(self, stop: asyncio.Event) -> None:
        hint = asyncio.Event()
        telemetry.OUTBOX_OLDEST_SECONDS.labels(self._service).set_function(self._oldest_s)
        beside = [asyncio.create_task(one) for one in (self._listen(hint), self._forget(), self._measure())]
        try:
            async with self._heartbeat.beating():
                await self._drain(hint, stop)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._publisher.close()

    async def _drain(self, hint: asyncio.Event, stop: asyncio.Event) -> None:
        pace = Pace(BATCH_FORMS_S)
        while not stop.is_set():
            hint.clear()
            done = await self._drain_once()
            if done == 0:
                await _wait_any(POLL_S, hint, stop)
            if done < BATCH_EVENTS_MAX:
                await pace.turn()

    async def _drain_once(self) -> int:
        try:
            published = await self.publish_batch()
            self._heartbeat.bus_answered(True)
            await self._hint()
            return published
        except (PortolanError, psycopg.Error) as error:
            self._checked_at = None
            self._heartbeat.bus_answered(False)
            telemetry.log().warning("relay_waits", reason=str(error))
            await asyncio.sleep(RETRY_S)
            return 0

    async def _hint(self) -> None:
        keys: dict[str, dict[str, None]] = {}
        for event in self._fresh:
            keys.setdefault(event.topic, {})[event.key] = None
        self._fresh = ()
        for topic, about in keys.items():
            await self._hints.say(topic, list(about))

    async def publish_batch(self) -> int:
        """Publishes up to BATCH_EVENTS_MAX, or goes a step on with what is to be published again.

        Answers how much it got through; 0 when nothing waits or another relay has the lock.
        """
        cluster_id = await self._cluster_id()
        async with self._database.transaction() as tx:
            if not await _is_alone(tx):
                return 0
            if cluster_id and await replays.notice(tx, cluster_id):
                telemetry.log().warning("bus_refill_begins", cluster_id=cluster_id)
            published = await self._publish_new(tx)
            return published if published == BATCH_EVENTS_MAX else published + await self._publish_again(tx)

    async def _cluster_id(self) -> str:
        """Empty when it was asked only a moment ago."""
        if self._checked_at is not None and time.monotonic() < self._checked_at + CLUSTER_CHECK_S:
            return ""
        cluster_id = await self._publisher.cluster_id()
        self._checked_at = time.monotonic()
        return cluster_id

    async def _publish_new(self, tx: Tx) -> int:
        rows = await outbox.unpublished(tx, BATCH_EVENTS_MAX)
        if rows:
            await self._publisher.publish([event for _, event in rows])
            await outbox.mark_published(tx, [row_id for row_id, _ in rows])
            _trace_waits([event for _, event in rows])
        self._fresh = [event for _, event in rows]
        return len(rows)

    async def _publish_again(self, tx: Tx) -> int:
        replay = await replays.next_open(tx)
        if replay is None:
            return 0
        moved, events = await replays.step(tx, replay)
        if events:
            await self._publisher.publish(events)
        self._tell(moved)
        return max(moved.position - replay.position, 1)

    def _tell(self, replay: replays.Replay) -> None:
        left = 0 if replay.finished_at else replay.rows_left
        telemetry.REPLAY_ROWS_LEFT.labels(self._service).set(left)
        telemetry.log().info(
            "replay_goes_on" if replay.finished_at is None else "replay_finished",
            kind=replay.kind,
            replay_id=replay.id,
            published=replay.published,
            rows_left=left,
        )

    def _oldest_s(self) -> float:
        return (clock.now() - self._oldest).total_seconds() if self._oldest else 0.0

    async def _measure(self) -> None:
        """By itself, so that the age is told while publishing waits, and while another relay has the lock."""
        while True:
            with contextlib.suppress(PortolanError, psycopg.Error):
                async with self._database.connection() as connection:
                    self._oldest = await outbox.oldest_unpublished(connection)
            await asyncio.sleep(MEASURE_S)

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
                forgotten = await outbox.forget_published(tx, outbox.KEEP_DAYS, FORGET_BATCH_MAX)


def _trace_waits(events: Sequence[Event]) -> None:
    for event in events:
        if event.traceparent:
            trace.start(f"publish {event.topic}", "producer", event.traceparent, began=event.time).end()


async def _is_alone(tx: Tx) -> bool:
    cursor = await tx.execute("select pg_try_advisory_xact_lock(%s)", [LOCK_KEY])
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _wait_any(timeout_s: float, *events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
