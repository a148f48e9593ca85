"""What happened to a document, who holds it now, and which agencies may read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from intake.domain.documents import Item
from intake.domain.durations import Waiting
from intake.domain.representation import Holder

ITEMS_MAX = 5_000
WAITING_MAX = 100


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    document_id: str
    agency: str
    step: str
    opened_at: datetime
    due_at: datetime | None


async def items(tx: Tx, document_id: str) -> Sequence[Item]:
    cursor = await tx.cursor(row_factory=class_row(Item)).execute(
        """
        select kind, at, actor, event, from_state, to_state, agency, step, due_at, reason_code, detail
        from timeline_items
        where document_id = %s
        order by seq
        limit %s
        """,
        [document_id, ITEMS_MAX],
    )
    return await cursor.fetchall()


async def items_after(tx: Tx, document_id: str, seq: int, limit: int) -> Sequence[Item]:
    cursor = await tx.cursor(row_factory=class_row(Item)).execute(
        """
        select kind, at, actor, event, from_state, to_state, agency, step, due_at, reason_code, detail
        from timeline_items
        where document_id = %s and seq > %s
        order by seq
        limit %s
        """,
        [document_id, seq, limit],
    )
    return await cursor.fetchall()


async def last_of(tx: Tx, document_id: str, kinds: Sequence[str]) -> Item | None:
    cursor = await tx.cursor(row_factory=class_row(Item)).execute(
        """
        select kind, at, actor, event, from_state, to_state, agency, step, due_at, reason_code, detail
        from timeline_items
        where document_id = %s and kind = any(%s)
        order by seq desc
        limit 1
        """,
        [document_id, list(kinds)],
    )
    return await cursor.fetchone()


async def counts(tx: Tx, document_ids: Sequence[str]) -> dict[str, int]:
    """How many items each of these documents has by now."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text, items from documents where document_id = any(%s::uuid[])", [list(document_ids)]
    )
    return dict(await cursor.fetchall())


async def holder(tx: Tx, document_id: str) -> Holder | None:
    """The operator while anybody waits for it; of several agencies at work, the one whose answer is due first."""
    cursor = await tx.cursor(row_factory=class_row(Holder)).execute(
        """
        select null as agency, submitter_organisation_id as organisation_id, agency as awaited_by, step,
            requested_at as since, due_at, true as is_operator
        from information_requests join documents using (document_id)
        where document_id = %(id)s and information_requests.state = 'OPEN'
        union all
        select agency, null, null, step, coalesce(held_since, opened_at), due_at, false
        from document_tasks
        where document_id = %(id)s and is_open
        order by is_operator desc, due_at nulls last, since
        limit 1
        """,
        {"id": document_id},
    )
    return await cursor.fetchone()


async def waiting(tx: Tx, document_id: str) -> Sequence[Waiting]:
    """The steps that wait to be decided, due first, with how long such steps took of late."""
    cursor = await tx.cursor(row_factory=class_row(Waiting)).execute(
        """
        select task.agency, task.step, coalesce(held_since, opened_at) as since, due_at, median_seconds,
            coalesce(samples, 0) as samples
        from document_tasks as task
        join documents using (document_id)
        left join step_durations using (type, step, agency)
        where document_id = %s and is_open
        order by due_at nulls last, since
        limit %s
        """,
        [document_id, WAITING_MAX],
    )
    return await cursor.fetchall()


async def open_tasks(tx: Tx, tasks: Sequence[Task]) -> None:
    """From now on, and for ever, their agencies may read the documents."""
    if not tasks:
        return
    await tx.execute(
        """
        with opened as materialized (
            select *
            from unnest(
                %s::text[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]
            ) as opened (task_id, document_id, agency, step, opened_at, due_at)
        ),
        task as (
            insert into document_tasks (task_id, document_id, agency, step, opened_at, due_at)
            select * from opened
            on conflict do nothing
        )
        insert into document_readers (agency, document_id)
        select distinct agency, document_id from opened
        on conflict do nothing
        """,
        [
            *([task.id for task in tasks], [task.document_id for task in tasks], [task.agency for task in tasks]),
            *([task.step for task in tasks], [task.opened_at for task in tasks], [task.due_at for task in tasks]),
        ],
    )


async def suspend_task(tx: Tx, task_id: str) -> None:
    """It waits for the operator: nothing is due of its agency."""
    await tx.execute("update document_tasks set due_at = null where task_id = %s", [task_id])


async def resume_task(tx: Tx, task: Task) -> None:
    await tx.execute(
        "update document_tasks set due_at = %s, held_since = %s where task_id = %s",
        [task.due_at, task.opened_at, task.id],
    )


async def close_tasks(tx: Tx, document_id: str) -> None:
    """Nobody waits any more, neither for an agency nor for the operator."""
    await tx.execute("update document_tasks set is_open = false where document_id = %s and is_open", [document_id])
    await tx.execute(
        "update information_requests set state = 'CANCELLED' where document_id = %s and state = 'OPEN'", [document_id]
    )
