"""Say a fact in the transaction that makes it true. The relay publishes it afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from psycopg.rows import tuple_row

from kit import clock, ids, trace
from kit.database import Tx
from kit.events import Event

PAYLOAD_BYTES_MAX = 900_000
CHANNEL = "outbox"
# How far back a bus can be refilled, and a replay can go.
KEEP_DAYS = 14


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """`key` is the aggregate's id: facts of one key keep their order when its row was locked first."""

    topic: str
    key: str
    message: Message
    traceparent: str = ""
    bytes_max: int = PAYLOAD_BYTES_MAX


async def append(tx: Tx, *, topic: str, key: str, message: Message) -> None:
    await append_many(tx, [OutboxEntry(topic, key, message)])


INSERT = """
with said as (
    insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)
    select * from unnest(
        %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::timestamptz[]
    )
)
select pg_notify('outbox', '')
"""


async def append_many(tx: Tx, entries: Sequence[OutboxEntry]) -> None:
    """Raises ValueError for a payload over PAYLOAD_BYTES_MAX: a row that could not be sent must not be stored."""
    if entries:
        await tx.execute(INSERT, columns(entries))


def columns(entries: Sequence[OutboxEntry]) -> list[list[object]]:
    """The seven arrays of INSERT, for a caller who writes them in a statement of its own."""
    payloads = [entry.message.SerializeToString() for entry in entries]
    if any(len(payload) > entry.bytes_max for entry, payload in zip(entries, payloads, strict=True)):
        raise ValueError(f"an event is larger than {PAYLOAD_BYTES_MAX} bytes")
    now, here = clock.now(), trace.current()
    return [
        [ids.new_id() for _ in entries],
        [entry.topic for entry in entries],
        [entry.key for entry in entries],
        [entry.message.DESCRIPTOR.full_name for entry in entries],
        list(payloads),
        [entry.traceparent or here for entry in entries],
        [now] * len(entries),
    ]


async def unpublished(tx: Tx, batch_max: int) -> list[tuple[int, Event]]:
    """Nothing while a bus is refilled: what is older comes first.

    Planned each time: the plan for an empty outbox would be kept when it is full.
    """
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select id, event_id::text, topic, key, type, created_at, payload, traceparent
        from outbox
        where published_at is null
            and not exists (select from replays where kind = 'REFILL' and finished_at is null)
        order by id
        limit %s
        """,
        [batch_max],
        prepare=False,
    )
    return [(row[0], Event(*row[1:])) for row in await cursor.fetchall()]


async def oldest_unpublished(tx: Tx) -> datetime | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select created_at from outbox where published_at is null order by id limit 1", prepare=False
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def mark_published(tx: Tx, row_ids: Sequence[int]) -> None:
    await tx.execute("update outbox set published_at = now() where id = any(%s)", [list(row_ids)])


async def forget_published(tx: Tx, older_than_days: int, batch_max: int) -> int:
    cursor = await tx.execute(
        """
        delete from outbox
        where id in (
            select id from outbox
            where published_at < now() - make_interval(days => %s)
            limit %s
        )
        """,
        [older_than_days, batch_max],
    )
    return cursor.rowcount
