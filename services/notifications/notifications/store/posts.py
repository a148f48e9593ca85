"""Webhook deliveries: numbered with the event, claimed under a lease, settled by whoever sent them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from notifications.domain.endpoints import KEPT_DAYS
from notifications.domain.posts import Outcome, Post

COLUMNS = """
    id, endpoint_id, event_id::text, sequence, type, document_id, body, state, attempts, due_at, created_at,
    attempted_at, delivered_at, response_status, response_body, failure
"""
FORGOTTEN_AT_ONCE_MAX = 1_000


async def number(
    tx: Tx, organisation_ids: Collection[str], event_type: str, event_id: str
) -> list[tuple[str, int, bool]]:
    """Of each endpoint that asked for it and has it not yet: its id, its next sequence, whether it is enabled."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        update webhook_endpoints as endpoint
        set last_sequence = last_sequence + 1
        where organisation_id = any(%s) and (event_types = '{}' or %s = any(event_types))
        and not exists (
            select 1 from webhook_deliveries as delivery
            where delivery.endpoint_id = endpoint.id and delivery.event_id = %s
        )
        returning id, last_sequence, state = 'ENABLED'
        """,
        [list(organisation_ids), event_type, event_id],
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def number_one(tx: Tx, endpoint_id: str) -> int:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "update webhook_endpoints set last_sequence = last_sequence + 1 where id = %s returning last_sequence",
        [endpoint_id],
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def insert(tx: Tx, posts: Sequence[Post]) -> None:
    await tx.cursor().executemany(
        """
        insert into webhook_deliveries (
            id, endpoint_id, event_id, sequence, type, document_id, body, state, due_at, created_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            [
                *(post.id, post.endpoint_id, post.event_id, post.sequence, post.type, post.document_id),
                *(post.body, post.state, post.due_at, post.created_at),
            ]
            for post in posts
        ],
    )


async def by_event(tx: Tx, endpoint_id: str, event_id: str) -> Post | None:
    cursor = await tx.cursor(row_factory=class_row(Post)).execute(
        f"select {COLUMNS} from webhook_deliveries where endpoint_id = %s and event_id = %s",  # noqa: S608
        [endpoint_id, event_id],
    )
    return await cursor.fetchone()


async def claim(
    tx: Tx, now: datetime, lease_until: datetime, busy: Collection[str], of_each: int, most: int, *, failing: bool
) -> list[Post]:
    """Due ones, ours until the lease ends, a few of each endpoint: one that hangs must not keep the others waiting.

    `failing` chooses between the endpoints whose last answer was none and those that are well.
    """
    cursor = await tx.cursor(row_factory=class_row(Post)).execute(
        f"""
        update webhook_deliveries
        set due_at = %(lease)s, attempts = attempts + 1, attempted_at = %(now)s
        where id in (
            select due.id
            from webhook_endpoints as endpoint
            cross join lateral (
                select id, due_at, sequence
                from webhook_deliveries
                where endpoint_id = endpoint.id and state = 'PENDING' and due_at <= %(now)s
                order by due_at, sequence
                limit %(of_each)s
                for update skip locked
            ) as due
            where endpoint.state = 'ENABLED' and endpoint.id <> all(%(busy)s)
                and (endpoint.failing_since is not null) = %(failing)s
            order by due.due_at, due.sequence
            limit %(most)s
        )
        returning {COLUMNS}
        """,  # noqa: S608
        {"lease": lease_until, "now": now, "busy": list(busy), "of_each": of_each, "most": most, "failing": failing},
    )
    return sorted(await cursor.fetchall(), key=lambda post: (post.endpoint_id, post.sequence))


async def mark_delivered(tx: Tx, post: Post, outcome: Outcome, now: datetime) -> None:
    """Whoever delivered it: the receiver has it."""
    await tx.execute(
        """
        update webhook_deliveries
        set state = 'DELIVERED', delivered_at = %s, response_status = %s, response_body = %s, failure = ''
        where id = %s and state = 'PENDING'
        """,
        [now, outcome.status, outcome.body, post.id],
    )


async def put_off(tx: Tx, post: Post, outcome: Outcome, due_at: datetime) -> None:
    await _failed(tx, post, outcome, "PENDING", due_at)


async def give_up(tx: Tx, post: Post, outcome: Outcome) -> None:
    await _failed(tx, post, outcome, "FAILED", post.due_at)


async def _failed(tx: Tx, post: Post, outcome: Outcome, state: str, due_at: datetime) -> None:
    """Only while the claim is still ours."""
    await tx.execute(
        """
        update webhook_deliveries
        set state = %s, due_at = %s, response_status = %s, response_body = %s, failure = %s
        where id = %s and attempts = %s and state = 'PENDING'
        """,
        [state, due_at, outcome.status, outcome.body, outcome.reason, post.id, post.attempts],
    )


async def hold(tx: Tx, endpoint_id: str) -> None:
    await tx.execute(
        "update webhook_deliveries set state = 'HELD' where endpoint_id = %s and state = 'PENDING'", [endpoint_id]
    )


async def replay(
    tx: Tx, endpoint_id: str, after_sequence: int, since: datetime | None, now: datetime, most: int
) -> list[int]:
    """Sends again, oldest first, what is not on its way anyhow; answers the sequences."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        update webhook_deliveries
        set state = 'PENDING', attempts = 0, due_at = %(now)s, failure = ''
        where id in (
            select id from webhook_deliveries
            where endpoint_id = %(endpoint)s and state <> 'PENDING' and sequence > %(after)s
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
            order by sequence
            limit %(most)s
        )
        returning sequence
        """,
        {"endpoint": endpoint_id, "after": after_sequence, "since": since, "now": now, "most": most},
    )
    return sorted(row[0] for row in await cursor.fetchall())


async def log(tx: Tx, endpoint_id: str, state: str, before: int | None, limit: int) -> list[Post]:
    """Newest first."""
    cursor = await tx.cursor(row_factory=class_row(Post)).execute(
        f"""
        select {COLUMNS}
        from webhook_deliveries
        where endpoint_id = %(endpoint)s and (%(state)s = '' or state = %(state)s)
        and (%(before)s::bigint is null or sequence < %(before)s)
        order by sequence desc
        limit %(limit)s
        """,  # noqa: S608
        {"endpoint": endpoint_id, "state": state, "before": before, "limit": limit},
    )
    return await cursor.fetchall()


async def oldest_due_s(tx: Tx, now: datetime) -> float:
    """How late the latest is; a retry that waits its turn is not late."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select min(due_at) from webhook_deliveries where state = 'PENDING' and due_at <= %s", [now]
    )
    row = await cursor.fetchone()
    return (now - row[0]).total_seconds() if row and row[0] else 0.0


async def forget_old(tx: Tx, now: datetime) -> int:
    cursor = await tx.execute(
        """
        delete from webhook_deliveries
        where id in (
            select id from webhook_deliveries
            where created_at < %s and state <> 'PENDING'
            limit %s
        )
        """,
        [now - timedelta(days=KEPT_DAYS), FORGOTTEN_AT_ONCE_MAX],
    )
    return cursor.rowcount
