"""Between rows and values: each kind is translated here once, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from routing.domain import (
    Amendment,
    Case,
    CaseState,
    Condition,
    Decision,
    Imposed,
    Information,
    InformationState,
    Inquiry,
    Quantity,
    Rung,
    Signature,
    Submission,
    Task,
    TaskState,
    Timer,
    TimerState,
)

Row = Mapping[str, Any]

CASE_COLUMNS = """
    cases.id, cases.document_id, cases.reference, cases.document_type, cases.pack_version,
    cases.owner_organisation_id, cases.submitter_organisation_id, cases.facts::text as facts, cases.rules,
    cases.channel, cases.risk_score, cases.explanation::text as explanation, cases.state, cases.step, cases.outcome,
    cases.opened_at, cases.closed_at, cases.amendment::text as amendment,
    (select json_agg(one order by one.id)::text from conditions as one where one.case_id = cases.id) as conditions
"""
TASK_COLUMNS = """
    tasks.id as task_id, tasks.case_id, tasks.step as task_step, tasks.agency, tasks.role, tasks.mode, tasks.rule,
    tasks.signatures_required, tasks.state as task_state, tasks.claimed_by, tasks.outcome as task_outcome,
    tasks.reason_code, tasks.quantity_value, tasks.quantity_unit, tasks.decided_by,
    tasks.opened_at as task_opened_at, tasks.decided_at, tasks.tacit_outcome,
    tasks.claimed_at, tasks.exclusive
"""
TERM, TACIT = "timers", "tacit"


def timer_columns(table: str) -> str:
    plain = ("id", "calendar", "budget_seconds", "consumed_seconds", "running_since", "fire_at", "next_rung_at")
    named = [f"{table}.{name} as {table}_{name}" for name in (*plain, "climbed", "state")]
    return ", ".join([*named, f"{table}.ladder::text as {table}_ladder"])


INFORMATION_COLUMNS = """
    information_requests.id as information_id, information_requests.person as asked_by,
    information_requests.reason as asked_reason, information_requests.questions, information_requests.answers,
    information_requests.state as information_state, information_requests.requested_at,
    information_requests.due_at as answers_due_at, information_requests.closed_at as information_closed_at
"""
# A task, with all that one load needs of it but its signatures.
TASK_WHOLE = f"{TASK_COLUMNS}, {timer_columns(TERM)}, {timer_columns(TACIT)}, {INFORMATION_COLUMNS}"
TASK_JOINS = """
    join timers on timers.id = tasks.timer_id
    left join timers as tacit on tacit.task_id = tasks.id and tacit.kind = 'tacit'
    left join information_requests on information_requests.task_id = tasks.id
"""
SIGNATURE_COLUMNS = """
    signatures.id, signatures.task_id, signatures.person, signatures.outcome, signatures.reason_code,
    signatures.comment, signatures.conditions, signatures.quantity_value, signatures.quantity_unit,
    signatures.request_id, signatures.signed_at, signatures.voided_at, signatures.on_behalf_of,
    signatures.imposes::text as imposes, signatures.satisfies
"""


def case(row: Row, tasks: Iterable[Task] = ()) -> Case:
    return Case(
        id=row["id"],
        document=_submission(row),
        rules=tuple(row["rules"]),
        channel=row["channel"],
        risk_score=row["risk_score"],
        explanation=msgspec.json.decode(row["explanation"]),
        opened_at=row["opened_at"],
        state=CaseState(row["state"]),
        step=row["step"],
        outcome=row["outcome"],
        closed_at=row["closed_at"],
        tasks=tuple(tasks),
        amendment=msgspec.json.decode(row["amendment"], type=Amendment) if row["amendment"] else None,
        conditions=msgspec.json.decode(row["conditions"], type=tuple[Condition, ...]) if row["conditions"] else (),
    )


def task(row: Row, signatures: Iterable[Signature]) -> Task:
    return Task(
        id=row["task_id"],
        step=row["task_step"],
        agency=row["agency"],
        role=row["role"],
        mode=row["mode"],
        rule=row["rule"],
        signatures_required=row["signatures_required"],
        opened_at=row["task_opened_at"],
        timer=timer(row, TERM),
        state=TaskState(row["task_state"]),
        claimed_by=row["claimed_by"],
        signatures=tuple(signatures),
        outcome=row["task_outcome"],
        reason_code=row["reason_code"],
        quantity=_quantity(row),
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        information=_information(row),
        tacit=None if row["tacit_id"] is None else timer(row, TACIT),
        tacit_outcome=row["tacit_outcome"],
        claimed_at=row["claimed_at"],
        exclusive=tuple(filter(None, row["exclusive"].split(","))),
    )


def timer(row: Row, table: str = TERM) -> Timer:
    return Timer(
        id=row[f"{table}_id"],
        calendar=row[f"{table}_calendar"],
        budget_seconds=row[f"{table}_budget_seconds"],
        running_since=row[f"{table}_running_since"],
        fire_at=row[f"{table}_fire_at"],
        next_rung_at=row[f"{table}_next_rung_at"],
        consumed_seconds=row[f"{table}_consumed_seconds"],
        ladder=tuple(msgspec.json.decode(row[f"{table}_ladder"], type=list[Rung])),
        climbed=row[f"{table}_climbed"],
        state=TimerState(row[f"{table}_state"]),
    )


def signature(row: Row) -> Signature:
    decision = Decision(
        person=row["person"],
        outcome=row["outcome"],
        reason_code=row["reason_code"],
        comment=row["comment"],
        conditions=row["conditions"],
        quantity=_quantity(row),
        request_id=row["request_id"],
        on_behalf_of=row["on_behalf_of"],
        imposes=msgspec.json.decode(row["imposes"], type=tuple[Imposed, ...]),
        satisfies=tuple(filter(None, row["satisfies"].split(","))),
    )
    return Signature(row["id"], decision, row["signed_at"], row["voided_at"])


def case_values(case: Case) -> list[Any]:
    document = case.document
    return [
        case.id,
        document.document_id,
        document.reference,
        document.document_type,
        document.pack_version,
        document.owner_organisation_id,
        document.submitter_organisation_id,
        msgspec.json.encode(document.facts).decode(),
        msgspec.json.encode(case.rules).decode(),
        case.channel,
        case.risk_score,
        msgspec.json.encode(case.explanation).decode(),
        case.state,
        case.step,
        case.outcome,
        case.opened_at,
        case.closed_at,
    ]


def amendment_value(case: Case) -> str | None:
    return None if case.amendment is None else msgspec.json.encode(case.amendment).decode()


def task_values(case: Case, task: Task) -> list[Any]:
    return [
        task.id,
        case.id,
        case.document.document_id,
        case.tasks.index(task),
        task.step,
        task.agency,
        task.role,
        task.mode,
        task.rule,
        task.signatures_required,
        task.state,
        task.claimed_by,
        task.outcome,
        task.reason_code,
        *_quantity_values(task.quantity),
        task.decided_by,
        task.timer.id,
        task.opened_at,
        task.due_at,
        task.decided_at,
        task.tacit_outcome,
        task.claimed_at,
        ",".join(task.exclusive),
    ]


def timers_values(task: Task) -> list[list[Any]]:
    """Of the term, and of silence where the task knows it."""
    tacit = [] if task.tacit is None else [_timer_values(task, task.tacit, TACIT)]
    return [_timer_values(task, task.timer, "term"), *tacit]


def _timer_values(task: Task, timer: Timer, kind: str) -> list[Any]:
    return [
        timer.id,
        task.id,
        timer.calendar,
        timer.budget_seconds,
        timer.consumed_seconds,
        timer.running_since,
        timer.fire_at,
        timer.next_rung_at,
        msgspec.json.encode([_rung(rung) for rung in timer.ladder]).decode(),
        timer.climbed,
        timer.state,
        kind,
    ]


def _rung(rung: Rung) -> tuple[Any, ...]:
    """As the release before wrote it, where it could."""
    return rung if rung.after_seconds else rung[:2]


def signature_values(task: Task, signature: Signature) -> list[Any]:
    decision = signature.decision
    return [
        signature.id,
        task.id,
        decision.person,
        decision.outcome,
        decision.reason_code,
        decision.comment,
        decision.conditions,
        *_quantity_values(decision.quantity),
        decision.request_id,
        signature.signed_at,
        signature.voided_at,
        decision.on_behalf_of,
        msgspec.json.encode(decision.imposes).decode(),
        ",".join(decision.satisfies),
    ]


def condition_values(case: Case, condition: Condition) -> list[Any]:
    return [
        condition.id,
        case.id,
        condition.task_id,
        condition.step,
        condition.agency,
        condition.code,
        condition.remarks,
        condition.imposed_by,
        condition.imposed_at,
        msgspec.json.encode(condition.parameters).decode(),
        condition.met_in,
        list(condition.gates),
        condition.met_task_id,
        condition.met_at,
    ]


def information_values(case: Case, task: Task, information: Information) -> list[Any]:
    inquiry = information.inquiry
    return [
        information.id,
        task.id,
        case.document.document_id,
        task.agency,
        inquiry.person,
        inquiry.reason,
        list(inquiry.questions),
        list(information.answers),
        information.state,
        information.requested_at,
        information.due_at,
        information.closed_at,
    ]


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into the arrays `unnest` wants."""
    return [[row[place] for row in rows] for place in range(width)]


def _submission(row: Row) -> Submission:
    return Submission(
        document_id=row["document_id"],
        reference=row["reference"],
        document_type=row["document_type"],
        pack_version=row["pack_version"],
        owner_organisation_id=row["owner_organisation_id"],
        submitter_organisation_id=row["submitter_organisation_id"],
        facts=msgspec.json.decode(row["facts"]),
    )


def _information(row: Row) -> Information | None:
    if row["information_id"] is None:
        return None
    return Information(
        id=row["information_id"],
        inquiry=Inquiry(row["asked_by"], tuple(row["questions"]), row["asked_reason"]),
        requested_at=row["requested_at"],
        due_at=row["answers_due_at"],
        state=InformationState(row["information_state"]),
        answers=tuple(row["answers"]),
        closed_at=row["information_closed_at"],
    )


def _quantity(row: Row) -> Quantity | None:
    return None if row["quantity_value"] is None else Quantity(row["quantity_value"], row["quantity_unit"])


def _quantity_values(quantity: Quantity | None) -> tuple[Any, Any]:
    return (None, None) if quantity is None else (quantity.value, quantity.unit)
