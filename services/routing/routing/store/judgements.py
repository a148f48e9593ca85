"""Why: a case as its explanation needs it, without its tasks and without its lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kit.database import Tx
from kit.errors import NotFound
from psycopg.rows import dict_row

from routing.domain import Case

from . import rows


@dataclass(frozen=True)
class Judgement:
    """`agencies` have or had a task."""

    case: Case
    agencies: frozenset[str]


async def judgement(connection: Tx, document_id: str) -> Judgement:
    cursor = await connection.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.CASE_COLUMNS}, array(
            select distinct agency from tasks where tasks.document_id = cases.document_id
        ) as agencies
        from cases
        where document_id = %s and pack_version <> ''
        """,  # noqa: S608 - our own column list
        [document_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("NOT_FOUND")
    return Judgement(rows.case(row), frozenset(row["agencies"]))


async def opened_between(
    tx: Tx, since: datetime, until: datetime, after: tuple[datetime, str], limit: int
) -> list[Case]:
    """In the order they were opened, from `since` to before `until`, after the one named; without their tasks."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.CASE_COLUMNS}
        from cases
        where opened_at >= %s and opened_at < %s and (opened_at, id) > (%s, %s) and pack_version <> ''
        order by opened_at, id
        limit %s
        """,  # noqa: S608 - our own column list
        [since, until, *after, limit],
    )
    return [rows.case(row) for row in await cursor.fetchall()]
