"""The bus on a PostgreSQL log: for one machine, with nothing to install.

Offsets are taken under the topic's row lock, so they are gapless and seen in the order they were given: a reader may
keep a cursor, which a plain sequence would not allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.rows import tuple_row

from kit.database import Database, Tx
from kit.errors import Unavailable
from kit.events import Event
from kit.migrate import migrate

CHANNEL = "bus"
LOCK_RETRY_S = 0.5
MIGRATIONS = Path(__file__).parent / "migrations"


async def prepare(url: str) -> None:
    await migrate(url, "bus", MIGRATIONS)


class PostgresPublisher:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, events: Sequence[Event]) -> None:
        async with self._database.transaction() as tx:
            for topic in sorted({event.topic for event in events}):
                await _append(tx, topic, [event for event in events if event.topic == topic])
            await tx.execute(f"select pg_notify('{CHANNEL}', '')")

    async def cluster_id(self) -> str:
        async with self._database.connection() as connection:
            try:
                row = await (await connection.execute("select id::text from cluster")).fetchone()
            except psycopg.errors.UndefinedTable:
                row = None
        if row is None:
            raise Unavailable("OVERLOADED", "the bus is not prepared")
        return str(row[0])

    async def close(self) -> None:
        await self._database.close()


async def _append(tx: Tx, topic: str, events: Sequence[Event]) -> None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        insert into topics (topic, next_position) values (%s, %s)
        on conflict (topic) do update set next_position = topics.next_position + excluded.next_position
        returning next_position
        """,
        [topic, len(events)],
    )
    row = await cursor.fetchone()
    first = (row[0] if row else 0) - len(events)
    await tx.execute(
        """
        insert into log (topic, position, event_id, key, type, time, payload, traceparent)
        select %s, * from unnest(
            %s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::bytea[], %s::text[]
        )
        """,
        [
            topic,
            [first + index for index in range(len(events))],
            [event.id for event in events],
            [event.key for event in events],
            [event.type for event in events],
            [event.time for event in events],
            [event.payload for event in events],
            [event.traceparent for event in events],
        ],
    )


class PostgresSubscription:
    """Holds the group's lock on a connection of its own while it lives; a second process of the group waits."""

    def __init__(self, url: str, group: str, topics: Sequence[str]) -> None:
        self._url = url
        self._group = group
        self._topics = list(topics)
        self._connection: Tx | None = None
        self._polled: dict[str, int] = {}

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        try:
            connection = await self._held(wait_s)
            if connection is None:
                return []
            events = await self._read(connection, events_max)
            if events or wait_s <= 0:
                return events
            async for _ in connection.notifies(timeout=wait_s, stop_after=1):
                pass
            return await self._read(connection, events_max)
        except psycopg.OperationalError as error:
            await self.close()
            raise Unavailable("OVERLOADED", "the bus does not answer") from error

    async def commit(self, events: Sequence[Event]) -> None:
        if self._connection is None or not self._polled:
            return
        try:
            await self._connection.execute(
                """
                insert into positions (consumer_group, topic, position)
                select %s, * from unnest(%s::text[], %s::bigint[])
                on conflict (consumer_group, topic) do update set position = excluded.position
                """,
                [self._group, list(self._polled), list(self._polled.values())],
            )
        except psycopg.OperationalError as error:
            await self.close()
            raise Unavailable("OVERLOADED", "the bus does not answer") from error

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _held(self, wait_s: float) -> Tx | None:
        if self._connection is not None:
            return self._connection
        connection: Tx = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        try:
            if await self._takes_lock(connection):
                self._connection = connection
        finally:
            if self._connection is None:
                await connection.close()
        if self._connection is None:
            await asyncio.sleep(min(wait_s, LOCK_RETRY_S))
        return self._connection

    async def _takes_lock(self, connection: Tx) -> bool:
        cursor = await connection.execute("select pg_try_advisory_lock(hashtext(%s))", [f"group:{self._group}"])
        row = await cursor.fetchone()
        if not (row and row[0]):
            return False
        await connection.execute(f"listen {CHANNEL}")
        await connection.execute("set synchronous_commit = off")  # a lost place is only read again
        return True

    async def _read(self, connection: Tx, events_max: int) -> Sequence[Event]:
        cursor = await connection.cursor(row_factory=tuple_row).execute(
            """
            select log.topic, log.position, event_id::text, key, type, time, payload, traceparent
            from unnest(%s::text[]) as wanted (topic)
            left join positions on positions.topic = wanted.topic and positions.consumer_group = %s
            cross join lateral (
                select * from log
                where log.topic = wanted.topic and log.position > coalesce(positions.position, -1)
                order by log.position
                limit %s
            ) as log
            order by time, log.topic, log.position
            """,
            [self._topics, self._group, events_max],
        )
        rows = _in_topic_order(await cursor.fetchall())
        self._polled = {}
        for topic, position, *_ in rows:
            self._polled[topic] = max(position, self._polled.get(topic, -1))
        return [Event(row[2], row[0], row[3], row[4], row[5], row[6], row[7]) for row in rows]


Row = tuple[str, int, str, str, str, datetime, bytes, str]


def _in_topic_order(rows: list[Row]) -> list[Row]:
    """Keeps each topic's own order although the merge went by time, and never skips a position."""
    wanted = {topic: sorted(row[1] for row in rows if row[0] == topic) for topic in {row[0] for row in rows}}
    by_place = {(row[0], row[1]): row for row in rows}
    return [by_place[row[0], wanted[row[0]].pop(0)] for row in rows]
