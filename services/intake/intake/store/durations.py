"""How long steps take: a line for each task that was decided, and what the newest of them come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.database import Tx
from psycopg.rows import class_row

from intake.domain.durations import Duration

GROUPS_MAX = 5_000
SAMPLES_MAX = 2_000


async def close_tasks(tx: Tx, decided: Sequence[tuple[str, datetime]]) -> None:
    """They were decided, each at its moment: they wait no more, and their times count, once."""
    if not decided:
        return
    await tx.execute(
        """
        with closed as (
            update document_tasks set is_open = false
            from unnest(%s::text[], %s::timestamptz[]) as decided (task_id, at)
            where document_tasks.task_id = decided.task_id and is_open
            returning document_tasks.task_id, document_id, step, agency, opened_at, at
        ),
        sample as (
            insert into closed_steps (task_id, type, step, agency, closed_at, seconds)
            select task_id, type, step, agency, at, greatest(0, extract(epoch from at - opened_at))::bigint
            from closed join documents using (document_id)
            on conflict do nothing
            returning type, step, agency
        )
        insert into step_durations (type, step, agency)
        select distinct type, step, agency from sample
        on conflict do nothing
        """,
        [[task_id for task_id, _ in decided], [at for _, at in decided]],
    )


async def claim_rollup(tx: Tx, now: datetime, not_since: datetime) -> bool:
    """Whether it is this process that adds up now."""
    cursor = await tx.execute("update duration_rollups set computed_at = %s where computed_at <= %s", [now, not_since])
    return cursor.rowcount > 0


async def roll_up(tx: Tx, now: datetime, since: datetime) -> None:
    """Of each type, step and agency, the newest `SAMPLES_MAX` since then; no more than `GROUPS_MAX` of these."""
    await tx.execute(
        """
        update step_durations
        set median_seconds = found.median, samples = found.samples, computed_at = %(now)s
        from (
            select type, step, agency from step_durations
            order by computed_at nulls first
            limit %(groups)s
        ) as asked
        cross join lateral (
            select count(*)::int as samples, percentile_disc(0.5) within group (order by seconds) as median
            from (
                select seconds from closed_steps
                where closed_steps.type = asked.type and closed_steps.step = asked.step
                    and closed_steps.agency = asked.agency and closed_at >= %(since)s
                order by closed_at desc
                limit %(samples)s
            ) as newest
        ) as found
        where step_durations.type = asked.type and step_durations.step = asked.step
            and step_durations.agency = asked.agency
        """,
        {"now": now, "since": since, "groups": GROUPS_MAX, "samples": SAMPLES_MAX},
    )


async def durations(tx: Tx, samples_min: int, limit: int) -> Sequence[Duration]:
    cursor = await tx.cursor(row_factory=class_row(Duration)).execute(
        """
        select type, step, agency, median_seconds, samples, computed_at
        from step_durations
        where samples >= %s
        order by type, step, agency
        limit %s
        """,
        [samples_min, limit],
    )
    return await cursor.fetchall()
