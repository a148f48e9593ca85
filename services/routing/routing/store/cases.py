"""Cases with their tasks, signatures and timers: loaded whole under the case's lock, saved by what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from kit import outbox
from kit.database import Tx
from kit.errors import NotFound, Refused
from kit.outbox import OutboxEntry
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row, tuple_row

from routing.domain import Case, CaseState, Signature, Task

from . import history, rows

TASK_COLUMNS = """
    id, case_id, document_id, position, step, agency, role, mode, rule, signatures_required, state, claimed_by,
    outcome, reason_code, quantity_value, quantity_unit, decided_by, timer_id, opened_at, due_at, decided_at,
    tacit_outcome, claimed_at, exclusive
"""
INSERT_TASKS = f"""
insert into tasks ({TASK_COLUMNS})
select * from unnest(
    %s::text[], %s::text[], %s::text[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[]
)
"""  # noqa: S608 - our own columns
UPSERT_TASKS = f"""
{INSERT_TASKS}
on conflict (id) do update set
    state = excluded.state, claimed_by = excluded.claimed_by, outcome = excluded.outcome,
    reason_code = excluded.reason_code, quantity_value = excluded.quantity_value,
    quantity_unit = excluded.quantity_unit, decided_by = excluded.decided_by, timer_id = excluded.timer_id,
    due_at = excluded.due_at, decided_at = excluded.decided_at, claimed_at = excluded.claimed_at
"""
TASK_WIDTH = 24
CASE_WIDTH = 17

TIMER_COLUMNS = """
    id, task_id, calendar, budget_seconds, consumed_seconds, running_since, fire_at, next_rung_at, ladder, climbed,
    state, kind
"""
TIMER_ARRAYS = """
    %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::json[], %s::integer[], %s::text[], %s::text[]
"""
INSERT_TIMERS = f"insert into timers ({TIMER_COLUMNS}) select * from unnest({TIMER_ARRAYS})"  # noqa: S608
UPSERT_TIMERS = f"""
{INSERT_TIMERS}
on conflict (id) do update set
    consumed_seconds = excluded.consumed_seconds, running_since = excluded.running_since, fire_at = excluded.fire_at,
    next_rung_at = excluded.next_rung_at, climbed = excluded.climbed, state = excluded.state
"""
TIMER_WIDTH = 12

UPSERT_SIGNATURES = """
insert into signatures (
    id, task_id, person, outcome, reason_code, comment, conditions, quantity_value, quantity_unit, request_id,
    signed_at, voided_at, on_behalf_of, imposes, satisfies
)
select * from unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::text[],
    %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::json[], %s::text[]
)
on conflict (id) do update set
    voided_at = excluded.voided_at
"""
SIGNATURE_WIDTH = 15

UPSERT_CONDITION = """
insert into conditions (
    id, case_id, task_id, step, agency, code, remarks, imposed_by, imposed_at, parameters, met_in, gates, met_task_id,
    met_at
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (id) do update set
    met_task_id = excluded.met_task_id, met_at = excluded.met_at
"""

INCOMPATIBLE = "signatures_incompatible"

UPSERT_INFORMATION = """
insert into information_requests (
    id, task_id, document_id, agency, person, reason, questions, answers, state, requested_at, due_at, closed_at
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (id) do update set
    answers = excluded.answers, state = excluded.state, closed_at = excluded.closed_at
"""

# No appointment outlives its case.
CANCEL_VISITS = """
update visits set state = 'CANCELLED', closed_at = %s where case_id = %s and state in ('PROPOSED', 'CONFIRMED')
"""

# For the busiest moment of cases, one round trip: their rows and what they say, all of it only where a case is new.
OPEN_CASES = f"""
with asked as materialized (
    select *
    from unnest(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]
    ) with ordinality as asked (
        id, document_id, reference, document_type, pack_version, owner_organisation_id, submitter_organisation_id,
        facts, rules, channel, risk_score, explanation, state, step, outcome, opened_at, closed_at, place
    )
), opened as (
    insert into cases (
        id, document_id, reference, document_type, pack_version, owner_organisation_id, submitter_organisation_id,
        facts, rules, channel, risk_score, explanation, state, step, outcome, opened_at, closed_at
    )
    select
        id, document_id, reference, document_type, pack_version, owner_organisation_id, submitter_organisation_id,
        facts::json, array(select json_array_elements_text(rules::json)), channel, risk_score, explanation::json,
        state, step, outcome, opened_at, closed_at
    from asked
    order by place
    on conflict (document_id) do nothing
    returning id
), tasked as ({INSERT_TASKS} as task ({TASK_COLUMNS}) where case_id in (select id from opened)
), clocked as (
    insert into timers ({TIMER_COLUMNS})
    select {TIMER_COLUMNS} from unnest({TIMER_ARRAYS}, %s::text[]) as timer ({TIMER_COLUMNS}, case_id)
    where case_id in (select id from opened)
), said as (
    insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)
    select event_id, topic, key, type, payload, traceparent, created_at
    from unnest(
        %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::timestamptz[], %s::text[]
    ) with ordinality as entry (event_id, topic, key, type, payload, traceparent, created_at, case_id, place)
    where case_id in (select id from opened)
    order by place
), {history.REMEMBER}
select id, pg_notify('{outbox.CHANNEL}', '') from opened
"""  # noqa: S608 - our own statements

New = tuple[Case, Sequence[OutboxEntry]]
"""A case, and what it says."""


async def open_cases(tx: Tx, new: Sequence[New]) -> set[str]:
    """Stores new cases and what they say. Answers the ids of those whose document had none."""
    cases = [case for case, _ in new]
    owned = [(case, task) for case in cases for task in case.tasks]
    timers = [[*values, case.id] for case, task in owned for values in rows.timers_values(task)]
    said = [(case.id, entry) for case, entries in new for entry in entries]
    values = [
        *rows.columns([rows.case_values(case) for case in cases], CASE_WIDTH),
        *rows.columns([rows.task_values(case, task) for case, task in owned], TASK_WIDTH),
        *rows.columns(timers, TIMER_WIDTH + 1),
        *outbox.columns([entry for _, entry in said]),
        [case_id for case_id, _ in said],
        *history.remembered(cases),
    ]
    cursor = await tx.cursor(row_factory=tuple_row).execute(OPEN_CASES, values)
    return {row[0] for row in await cursor.fetchall()}


async def case_of_document(tx: Tx, document_id: str) -> Case | None:
    """Locked until the transaction ends."""
    return await locked(tx, "document_id = %s", document_id)


async def seen_case(tx: Tx, document_id: str) -> Case | None:
    """As it stands, without waiting for anybody."""
    return await _found(tx, "document_id = %s", document_id, lock="")


async def case_of_task(tx: Tx, task_id: str) -> Case:
    """Locked until the transaction ends: who decides and who withdraws wait for each other here."""
    case = await locked(tx, "id = (select case_id from tasks where id = %s)", task_id)
    if case is None:
        raise NotFound("NOT_FOUND")
    return case


async def save_case(tx: Tx, before: Case, after: Case) -> None:
    """Writes what differs."""
    if (after.state, after.step, after.amendment) != (before.state, before.step, before.amendment):
        await tx.execute(
            "update cases set state = %s, step = %s, outcome = %s, closed_at = %s, amendment = %s where id = %s",
            [after.state, after.step, after.outcome, after.closed_at, rows.amendment_value(after), after.id],
        )
    if after.state is CaseState.CLOSED and before.state is CaseState.OPEN:
        await tx.execute(CANCEL_VISITS, [after.closed_at, after.id])
    for condition in after.conditions:
        if condition not in before.conditions:
            await tx.execute(UPSERT_CONDITION, rows.condition_values(after, condition))
    await _save_tasks(tx, after, [task for task in after.tasks if task not in before.tasks])


async def signatures_of(tx: Tx, task_ids: Sequence[str]) -> dict[str, list[Signature]]:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.SIGNATURE_COLUMNS}
        from signatures
        where task_id = any(%s)
        order by signed_at, id
        """,  # noqa: S608 - our own column list
        [list(task_ids)],
    )
    found: dict[str, list[Signature]] = defaultdict(list)
    for row in await cursor.fetchall():
        found[row["task_id"]].append(rows.signature(row))
    return found


async def locked(tx: Tx, condition: str, value: str) -> Case | None:
    return await _found(tx, condition, value, lock="for update")


async def _found(tx: Tx, condition: str, value: str, *, lock: str) -> Case | None:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"select {rows.CASE_COLUMNS} from cases where {condition} {lock}",  # noqa: S608 - our own conditions
        [value],
    )
    row = await cursor.fetchone()
    return None if row is None else rows.case(row, await _tasks(tx, row["id"]))


async def _tasks(tx: Tx, case_id: str) -> list[Task]:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.TASK_WHOLE}
        from tasks
        {rows.TASK_JOINS}
        where tasks.case_id = %s
        order by tasks.position
        """,  # noqa: S608 - our own column lists
        [case_id],
    )
    found = await cursor.fetchall()
    signed = await signatures_of(tx, [row["task_id"] for row in found])
    return [rows.task(row, signed.get(row["task_id"], ())) for row in found]


async def _save_tasks(tx: Tx, case: Case, tasks: Sequence[Task]) -> None:
    await _upsert(tx, UPSERT_TASKS, [rows.task_values(case, task) for task in tasks], TASK_WIDTH)
    await _upsert(tx, UPSERT_TIMERS, [values for task in tasks for values in rows.timers_values(task)], TIMER_WIDTH)
    for task in tasks:
        if task.information is not None:
            await tx.execute(UPSERT_INFORMATION, rows.information_values(case, task, task.information))
    signatures = [rows.signature_values(task, signature) for task in tasks for signature in task.signatures]
    try:
        await _upsert(tx, UPSERT_SIGNATURES, signatures, SIGNATURE_WIDTH)
    except UniqueViolation as error:
        code = "INCOMPATIBLE_ROLES" if error.diag.constraint_name == INCOMPATIBLE else "FOUR_EYES"
        raise Refused(code, "the database knows another signature that forbids this one") from error


async def _upsert(tx: Tx, statement: str, values: list[list[Any]], width: int) -> None:
    if values:
        await tx.execute(statement, rows.columns(values, width))
