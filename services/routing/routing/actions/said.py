"""What routing says: a fact of a case becomes the message the others hear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import msgspec
from google.protobuf.message import Message
from kit import outbox
from kit.database import Tx
from kit.outbox import OutboxEntry
from kit.wire import timestamp
from portolan.routing.v1 import events_pb2
from portolan.type.v1 import type_pb2

from routing.domain import (
    SILENCE,
    Case,
    CaseClosed,
    CaseOpened,
    Condition,
    Fact,
    InformationLapsed,
    InformationRequested,
    Quantity,
    RungClimbed,
    Task,
    TaskDecided,
    TaskOpened,
    TaskResumed,
    TaskSigned,
)
from routing.store import Late, note_non_conformities

TOPIC = "portolan.routing.case.v1"


def entries(case: Case, facts: Sequence[Fact]) -> list[OutboxEntry]:
    return [OutboxEntry(TOPIC, case.document.document_id, message(fact, case)) for fact in facts]


async def say(tx: Tx, case: Case, facts: Sequence[Fact]) -> None:
    """And what was found not to conform is remembered against the owner, in the same transaction."""
    wrong = [fact.task for fact in facts if isinstance(fact, TaskDecided) and fact.is_non_conforming]
    await note_non_conformities(tx, case, wrong)
    await outbox.append_many(tx, entries(case, facts))


async def say_climbed(tx: Tx, climbed: Sequence[tuple[Late, RungClimbed]]) -> None:
    said = [OutboxEntry(TOPIC, late.document_id, _climbed(fact, late)) for late, fact in climbed]
    await outbox.append_many(tx, said)


def quantity(value: Quantity | None) -> type_pb2.Quantity | None:
    return None if value is None else type_pb2.Quantity(value=f"{value.value:f}", unit=value.unit)


@singledispatch
def message(fact: Fact, case: Case) -> Message:
    raise TypeError(f"nothing is said of {type(fact).__name__}")


@message.register
def _(fact: CaseOpened, case: Case) -> Message:
    return events_pb2.CaseOpened(
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        channel=case.channel,
        risk_score=case.risk_score,
        rules=case.rules,
        opened_at=timestamp(fact.opened_at),
        due_at=timestamp(fact.due_at),
    )


@message.register
def _(fact: TaskOpened, case: Case) -> Message:
    return events_pb2.TaskOpened(
        task_id=fact.task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=fact.task.step,
        agency=fact.task.agency,
        opened_at=timestamp(fact.task.opened_at),
        due_at=timestamp(fact.task.due_at),
        document_event=fact.document_event,
        tacit_at=timestamp(fact.task.tacit_at),
        tacit_outcome=fact.task.tacit_outcome,
        document_due_at=timestamp(fact.document_due_at),
    )


@message.register
def _(fact: TaskSigned, case: Case) -> Message:
    return events_pb2.TaskSigned(
        task_id=fact.task.id,
        document_id=case.document.document_id,
        step=fact.task.step,
        agency=fact.task.agency,
        signed_by=fact.signature.person,
        outcome=fact.signature.decision.outcome,
        signed_at=timestamp(fact.signature.signed_at),
        on_behalf_of=fact.signature.decision.on_behalf_of,
    )


@message.register
def _(fact: TaskDecided, case: Case) -> Message:
    return events_pb2.TaskDecided(
        task_id=fact.task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=fact.task.step,
        agency=fact.task.agency,
        outcome=fact.task.outcome,
        reason_code=fact.task.reason_code,
        decided_by=fact.task.decided_by,
        on_behalf_of=_stood_for(fact.task),
        decided_at=timestamp(fact.task.decided_at),
        document_event=fact.document_event,
        authorised_quantity=quantity(fact.task.quantity),
        tacit_at=timestamp(fact.task.tacit_at) if fact.task.reason_code == SILENCE else None,
        basis=fact.basis,
        imposes=[_imposed(condition) for condition in fact.imposed],
        satisfies=[condition.id for condition in fact.met],
    )


@message.register
def _(fact: CaseClosed, case: Case) -> Message:
    return events_pb2.CaseClosed(
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        outcome=fact.outcome,
        closed_at=timestamp(fact.closed_at),
        document_event=fact.document_event,
    )


@message.register
def _(fact: InformationRequested, case: Case) -> Message:
    inquiry = fact.information.inquiry
    return events_pb2.InformationRequested(
        task_id=fact.task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=fact.task.step,
        agency=fact.task.agency,
        information_request_id=fact.information.id,
        requested_by=inquiry.person,
        reason=inquiry.reason,
        questions=inquiry.questions,
        requested_at=timestamp(fact.information.requested_at),
        due_at=timestamp(fact.information.due_at),
        document_event=fact.document_event,
    )


@message.register
def _(fact: InformationLapsed, case: Case) -> Message:
    return events_pb2.InformationLapsed(
        task_id=fact.task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=fact.task.step,
        agency=fact.task.agency,
        information_request_id=fact.information.id,
        due_at=timestamp(fact.information.due_at),
        lapsed_at=timestamp(fact.information.closed_at),
        document_event=fact.document_event,
    )


@message.register
def _(fact: TaskResumed, case: Case) -> Message:
    return events_pb2.TaskResumed(
        task_id=fact.task.id,
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        step=fact.task.step,
        agency=fact.task.agency,
        resumed_at=timestamp(fact.resumed_at),
        due_at=timestamp(fact.task.due_at),
        tacit_at=timestamp(fact.task.tacit_at),
        tacit_outcome=fact.task.tacit_outcome,
        document_due_at=timestamp(fact.document_due_at),
    )


def _imposed(condition: Condition) -> events_pb2.ConditionImposed:
    return events_pb2.ConditionImposed(
        id=condition.id,
        code=condition.code,
        parameters_json=msgspec.json.encode(condition.parameters),
        remarks=condition.remarks,
    )


def _stood_for(task: Task) -> str:
    """In whose place the decision was taken, by who signed last."""
    last = next((one for one in reversed(task.live_signatures) if one.person == task.decided_by), None)
    return last.decision.on_behalf_of if last else ""


def _climbed(fact: RungClimbed, late: Late) -> Message:
    told: dict[str, Any] = {
        "task_id": fact.task_id,
        "case_id": late.case_id,
        "document_id": late.document_id,
        "reference": late.reference,
        "document_type": late.document_type,
        "step": late.step,
        "agency": fact.agency,
        "rung": fact.rung.key,
        "notify": fact.rung.notify,
        "labels": fact.rung.labels,
        "due_at": timestamp(fact.due_at),
    }
    if fact.rung.is_before_due:
        return events_pb2.DeadlineNear(**told, noticed_at=timestamp(fact.climbed_at))
    return events_pb2.DeadlineMissed(**told, missed_at=timestamp(fact.climbed_at))
