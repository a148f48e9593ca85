"""Deliveries: written once each, claimed under a lease, settled by whoever sent them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from notifications.domain.deliveries import Delivery

COLUMNS = """
    id, event_id::text, rule, recipient_id, organisation_id, channel, language, address, title, body,
    document_id, reference, state, attempts, created_at, read_at, due_at, gathered, traceparent
"""


async def insert(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """What was already written for its event, rule, recipient and channel stays as it is."""
    if not deliveries:
        return
    await tx.execute(
        """
        insert into deliveries (
            id, event_id, rule, recipient_id, organisation_id, channel, language, address, title, body,
            document_id, reference, state, due_at, created_at, gathered, traceparent, sent_at
        )
        select *, case state when 'SENT' then created_at end
        from unnest(
            %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
            %s::boolean[], %s::text[]
        ) as new (
            id, event_id, rule, recipient_id, organisation_id, channel, language, address, title, body,
            document_id, reference, state, due_at, created_at, gathered, traceparent
        )
        on conflict on constraint one_delivery_each do nothing
        """,
        _arrays(deliveries),
    )


def _arrays(deliveries: Sequence[Delivery]) -> list[list[object]]:
    rows = [
        (
            *(one.id, one.event_id, one.rule, one.recipient_id, one.organisation_id, one.channel, one.language),
            *(one.address, one.title, one.body, one.document_id, one.reference, one.state),
            *(one.due_at or one.created_at, one.created_at, one.gathered, one.traceparent),
        )
        for one in deliveries
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def claim(tx: Tx, now: datetime, lease_until: datetime, most: int) -> list[Delivery]:
    """Due letters, ours until the lease ends; a claim counts as an attempt even if we die of it."""
    cursor = await tx.cursor(row_factory=class_row(Delivery)).execute(
        f"""
        update deliveries
        set due_at = %s, attempts = attempts + 1
        where id in (
            select id from deliveries
            where state = 'PENDING' and not gathered and due_at <= %s
            order by due_at
            limit %s
            for update skip locked
        )
        returning {COLUMNS}
        """,  # noqa: S608
        [lease_until, now, most],
    )
    return await cursor.fetchall()


async def due_together(tx: Tx, now: datetime, most: int) -> list[Delivery]:
    """Letters of one person whose digest is due, oldest first, held until the transaction ends."""
    cursor = await tx.cursor(row_factory=class_row(Delivery)).execute(
        f"""
        with next as (
            select recipient_id from deliveries
            where state = 'PENDING' and gathered and due_at <= %(now)s
            order by due_at
            limit 1
            for update skip locked
        )
        select {COLUMNS} from deliveries
        where state = 'PENDING' and gathered and due_at <= %(now)s
        and recipient_id = (select recipient_id from next)
        order by id
        limit %(most)s
        for update skip locked
        """,  # noqa: S608
        {"now": now, "most": most},
    )
    return await cursor.fetchall()


async def put_into(tx: Tx, digest_id: str, ids: Sequence[str]) -> None:
    await tx.execute(
        "update deliveries set state = 'GATHERED', digest_id = %s where id = any(%s)", [digest_id, list(ids)]
    )


async def send_each(tx: Tx, ids: Sequence[str]) -> None:
    await tx.execute("update deliveries set gathered = false where id = any(%s)", [list(ids)])


async def mark_sent(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    await tx.execute(
        "update deliveries set state = 'SENT', sent_at = %s, failure = '' where id = any(%s) and state = 'PENDING'",
        [now, list(ids)],
    )


async def put_off(tx: Tx, delivery: Delivery, failure: str, due_at: datetime) -> None:
    """Only while the claim is still ours."""
    await tx.execute(
        """
        update deliveries set failure = %s, due_at = %s
        where id = %s and attempts = %s and state = 'PENDING'
        """,
        [failure, due_at, delivery.id, delivery.attempts],
    )


async def give_up(tx: Tx, delivery: Delivery, failure: str) -> bool:
    """False when the claim was no longer ours."""
    cursor = await tx.execute(
        """
        update deliveries set failure = %s, state = 'FAILED'
        where id = %s and attempts = %s and state = 'PENDING'
        """,
        [failure, delivery.id, delivery.attempts],
    )
    return cursor.rowcount == 1


async def oldest_pending_s(tx: Tx, now: datetime) -> float:
    """What waits for the end of quiet hours is not late."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select min(created_at) from deliveries where state = 'PENDING' and (attempts > 0 or due_at <= %s)", [now]
    )
    row = await cursor.fetchone()
    return (now - row[0]).total_seconds() if row and row[0] else 0.0


async def feed(
    tx: Tx, organisation_id: str, document_id: str, hidden_rules: Sequence[str], before: str | None, limit: int
) -> list[Delivery]:
    """Newest first."""
    cursor = await tx.cursor(row_factory=class_row(Delivery)).execute(
        f"""
        select {COLUMNS}
        from deliveries
        where channel = 'in_app' and organisation_id = %(organisation)s
        and (%(document)s = '' or document_id = %(document)s)
        and rule <> all(%(hidden)s::text[])
        and (%(before)s::text is null or id < %(before)s)
        order by id desc
        limit %(limit)s
        """,  # noqa: S608
        {
            **{"organisation": organisation_id, "document": document_id, "hidden": list(hidden_rules)},
            **{"before": before, "limit": limit},
        },
    )
    return await cursor.fetchall()


async def mark_read(tx: Tx, organisation_id: str, delivery_id: str, now: datetime) -> Delivery | None:
    """The first reading counts."""
    cursor = await tx.cursor(row_factory=class_row(Delivery)).execute(
        f"""
        update deliveries
        set read_at = coalesce(read_at, %s)
        where id = %s and organisation_id = %s and channel = 'in_app'
        returning {COLUMNS}
        """,  # noqa: S608
        [now, delivery_id, organisation_id],
    )
    return await cursor.fetchone()
