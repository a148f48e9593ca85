"""What an agency has to do, by due time: keyset pages over a partial index, whatever is long done beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kit.database import Tx
from kit.errors import NotFound
from psycopg.rows import dict_row

from routing.domain import LIVE, UNDECIDED, Case, Task, TaskState

from . import rows
from .cases import signatures_of

# A task, and its case as far as that task is concerned.
Item = tuple[Case, Task]


@dataclass(frozen=True)
class Wanted:
    """`agency` None is every agency, empty is none; `document_id` None is any document."""

    states: frozenset[TaskState]
    agency: str | None = None
    document_id: str | None = None


async def page(connection: Tx, wanted: Wanted, after: tuple[str, str] | None, limit: int) -> list[Item]:
    conditions, values = _conditions(wanted, after)
    cursor = await connection.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.CASE_COLUMNS}, {rows.TASK_WHOLE}
        from tasks
        join cases on cases.id = tasks.case_id
        {rows.TASK_JOINS}
        where {" and ".join(conditions)}
        order by coalesce(tasks.due_at, 'infinity'::timestamptz), tasks.id
        limit %s
        """,  # noqa: S608 - our own columns and conditions
        [*values, limit],
    )
    return await _items(connection, await cursor.fetchall())


async def item(connection: Tx, task_id: str) -> Item:
    cursor = await connection.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.CASE_COLUMNS}, {rows.TASK_WHOLE}
        from tasks
        join cases on cases.id = tasks.case_id
        {rows.TASK_JOINS}
        where tasks.id = %s
        """,  # noqa: S608 - our own column lists
        [task_id],
    )
    items = await _items(connection, await cursor.fetchall())
    if not items:
        raise NotFound("NOT_FOUND")
    return items[0]


def _conditions(wanted: Wanted, after: tuple[str, str] | None) -> tuple[list[str], list[Any]]:
    conditions, values = [_state_condition(wanted.states)], list[Any]()
    if wanted.agency is not None:
        conditions.append("tasks.agency = %s")
        values.append(wanted.agency)
    if wanted.document_id is not None:
        conditions.append("tasks.document_id = %s")
        values.append(wanted.document_id)
    if after is not None:
        conditions.append("(coalesce(tasks.due_at, 'infinity'::timestamptz), tasks.id) > (%s::timestamptz, %s)")
        values.extend(after)
    return conditions, values


def _state_condition(states: frozenset[TaskState]) -> str:
    """Written out, and with the index's own words, so that the planner sees which partial index serves."""
    named = "tasks.state in ({})".format(", ".join(f"'{state}'" for state in sorted(states)))
    if states <= LIVE:
        return f"tasks.state in ('OPEN', 'CLAIMED') and {named}"
    if not states & UNDECIDED:
        return f"tasks.state in ('DECIDED', 'CANCELLED') and {named}"
    return named


async def _items(connection: Tx, found: list[dict[str, Any]]) -> list[Item]:
    signed = await signatures_of(connection, [row["task_id"] for row in found])
    tasks = [rows.task(row, signed.get(row["task_id"], ())) for row in found]
    return [(rows.case(row, [task]), task) for row, task in zip(found, tasks, strict=True)]
