"""Dead letters: what could not have its effect, kept with its reason, told on `<topic>.dead`, tried again if asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portolan.bus.v1 import dead_letter_pb2
from psycopg.rows import class_row, dict_row, tuple_row

from kit import clock, ids, outbox, wire
from kit.bus.topics import dead_letters_of
from kit.database import Tx
from kit.errors import Invalid, NotFound
from kit.events import Event

REASON_CHARACTERS_MAX = 500
LISTED_MAX = 200
# An event of the largest size, and what is said of it: still less than a broker's 1 MiB.
LETTER_BYTES_MAX = outbox.PAYLOAD_BYTES_MAX + 20_000


async def bury(tx: Tx, consumer: str, event: Event, reason: str, attempts: int) -> None:
    """Puts the event aside and says so, once; the caller remembers it as seen in the same transaction."""
    reason, now = reason.replace("\x00", "")[:REASON_CHARACTERS_MAX], clock.now()
    cursor = await tx.execute(
        """
        insert into dead_letters (
            consumer, event_id, topic, key, type, payload, traceparent, reason, attempts, buried_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(consumer, event.id, event.topic, event.key, event.type, event.payload, event.traceparent),
            *(reason, attempts, now),
        ],
    )
    if cursor.rowcount:
        letter = dead_letter_pb2.DeadLetter(
            consumer=consumer,
            event_id=event.id,
            topic=event.topic,
            key=event.key,
            type=event.type,
            payload=event.payload,
            reason=reason,
            attempts=attempts,
            buried_at=wire.timestamp(now),
        )
        entry = outbox.OutboxEntry(dead_letters_of(event.topic), event.key, letter, event.traceparent, LETTER_BYTES_MAX)
        await outbox.append_many(tx, [entry])


@dataclass(frozen=True, slots=True)
class Letter:
    consumer: str
    event_id: str
    type: str
    key: str
    reason: str
    attempts: int
    buried_at: datetime


async def lying(tx: Tx, limit: int = LISTED_MAX) -> list[Letter]:
    """Oldest first: those that had no effect yet."""
    cursor = await tx.cursor(row_factory=class_row(Letter)).execute(
        """
        select consumer, event_id::text, type, key, reason, attempts, buried_at
        from dead_letters where redriven_at is null
        order by buried_at, event_id limit %s
        """,
        [limit],
    )
    return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Redrive:
    id: str
    consumer: str
    event_id: str | None
    reason: str
    requested_by: str
    succeeded: int
    failed: int
    finished_at: datetime | None


async def request(tx: Tx, event_id: str | None, reason: str, requested_by: str) -> list[str]:
    """Of one event, or of all: a redrive for each consumer that has any. Raises NotFound when there is none."""
    _require_reason(reason)
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select distinct consumer from dead_letters
        where redriven_at is null and (%(event_id)s::uuid is null or event_id = %(event_id)s)
        order by consumer
        """,
        {"event_id": event_id},
    )
    consumers = [row[0] for row in await cursor.fetchall()]
    if not consumers:
        raise NotFound("NOT_FOUND", f"no dead letter {event_id}" if event_id else "no dead letters")
    return [await _request(tx, consumer, event_id, reason, requested_by) for consumer in consumers]


async def _request(tx: Tx, consumer: str, event_id: str | None, reason: str, requested_by: str) -> str:
    redrive_id = ids.new_id()
    await tx.execute(
        """
        insert into redrives (id, consumer, event_id, reason, requested_by, requested_at)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [redrive_id, consumer, event_id, reason, requested_by, clock.now()],
    )
    return redrive_id


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
        raise Invalid("INVALID_REQUEST", f"a reason is wanted, of at most {REASON_CHARACTERS_MAX} characters")


COLUMNS = "id::text, consumer, event_id::text, reason, requested_by, succeeded, failed, finished_at"


async def next_redrive(tx: Tx, consumer: str) -> Redrive | None:
    return await _redrive(tx, "consumer = %s and finished_at is null order by requested_at limit 1", consumer)


async def redrive_of(tx: Tx, redrive_id: str) -> Redrive | None:
    return await _redrive(tx, "id = %s", redrive_id)


async def _redrive(tx: Tx, which: str, value: str) -> Redrive | None:
    query = f"select {COLUMNS} from redrives where {which}"  # noqa: S608
    return await (await tx.cursor(row_factory=class_row(Redrive)).execute(query, [value])).fetchone()


async def next_letter(tx: Tx, redrive: Redrive) -> Event | None:
    """The oldest that this redrive has not tried, as the event it was."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        """
        select event_id::text as id, topic, key, type, buried_at as time, payload, traceparent
        from dead_letters
        where consumer = %(consumer)s and redriven_at is null and redrive_id is distinct from %(id)s
            and (%(event_id)s::uuid is null or event_id = %(event_id)s)
        order by buried_at, event_id
        limit 1
        """,
        {"consumer": redrive.consumer, "id": redrive.id, "event_id": redrive.event_id},
    )
    row = await cursor.fetchone()
    return Event(**row) if row else None


async def hold(tx: Tx, redrive: Redrive, event_id: str) -> bool:
    """Until the transaction ends, unless it had its effect meanwhile."""
    cursor = await tx.execute(
        """
        select 1 from dead_letters
        where consumer = %s and event_id = %s and redriven_at is null
        for update
        """,
        [redrive.consumer, event_id],
    )
    return await cursor.fetchone() is not None


async def succeed(tx: Tx, redrive: Redrive, event_id: str) -> None:
    """In the transaction of the effect."""
    await tx.execute(
        "update dead_letters set redriven_at = %s, redrive_id = %s where consumer = %s and event_id = %s",
        [clock.now(), redrive.id, redrive.consumer, event_id],
    )
    await tx.execute("update redrives set succeeded = succeeded + 1 where id = %s", [redrive.id])


async def fail(tx: Tx, redrive: Redrive, event_id: str, reason: str) -> None:
    await tx.execute(
        """
        update dead_letters set reason = %s, redrive_id = %s, attempts = attempts + 1
        where consumer = %s and event_id = %s and redriven_at is null
        """,
        [reason.replace("\x00", "")[:REASON_CHARACTERS_MAX], redrive.id, redrive.consumer, event_id],
    )
    await tx.execute("update redrives set failed = failed + 1 where id = %s", [redrive.id])


async def finish(tx: Tx, redrive: Redrive) -> Redrive:
    """What had its effect shows that the consumer can go on."""
    await tx.execute("update redrives set finished_at = %s where id = %s", [clock.now(), redrive.id])
    done = await redrive_of(tx, redrive.id)
    assert done is not None  # noqa: S101 - its row was just written
    if done.succeeded:
        await lift(tx, redrive.consumer, redrive.requested_by, redrive.reason)
    return done


async def stop(tx: Tx, consumer: str, release: str, reason: str) -> None:
    await tx.execute(
        """
        insert into consumer_stops (consumer, release, reason, stopped_at) values (%s, %s, %s, %s)
        on conflict (consumer) where lifted_at is null do nothing
        """,
        [consumer, release, reason[:REASON_CHARACTERS_MAX], clock.now()],
    )


async def stopped(tx: Tx, consumer: str) -> dict[str, Any] | None:
    """Release and reason of a stop that nobody lifted."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        "select release, reason from consumer_stops where consumer = %s and lifted_at is null", [consumer]
    )
    return await cursor.fetchone()


async def stops(tx: Tx) -> Sequence[tuple[Any, ...]]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select consumer, stopped_at, reason from consumer_stops where lifted_at is null order by consumer"
    )
    return await cursor.fetchall()


async def lift(tx: Tx, consumer: str, by: str, reason: str) -> bool:
    _require_reason(reason)
    cursor = await tx.execute(
        """
        update consumer_stops set lifted_at = %s, lifted_by = %s, lift_reason = %s
        where consumer = %s and lifted_at is null
        """,
        [clock.now(), by, reason, consumer],
    )
    return cursor.rowcount > 0
