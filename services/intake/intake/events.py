"""What intake hears: message → happening → action."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from google.protobuf.message import Message
from kit import consumer, wire
from kit.consumer import Handler, Together
from kit.database import Tx
from kit.events import Event
from portolan.billing.v1 import events_pb2 as billing
from portolan.routing.v1 import events_pb2 as routing
from portolan.type.v1 import type_pb2

from intake.actions import conditions
from intake.actions.catalogue import publish
from intake.actions.conditions import Agreed, Imposed
from intake.actions.hearing import Happening, hear_result
from intake.actions.informing import Asked, Lapsed, asked, lapsed
from intake.actions.listening import Heard, hear_all
from intake.domain.documents import SYSTEM, Item
from intake.domain.information import Request, asked_detail
from intake.domain.rulebook import PublishedTable, Rulebooks
from intake.domain.values import Quantity, positive_decimal
from intake.store.rule_tables import rules_of
from intake.store.timelines import Task

GROUP = "intake"
TOPICS = ("portolan.routing.case.v1", "portolan.billing.charge.v1", "portolan.routing.rules.v1")


def case_opened(event: routing.CaseOpened) -> Happening:
    item = Item("case_opened", wire.moment(event.opened_at), due_at=wire.moment_or_none(event.due_at))
    return Happening(event.document_id, item)


def task_opened(event: routing.TaskOpened) -> Happening:
    opened_at, due_at = wire.moment(event.opened_at), wire.moment_or_none(event.due_at)
    item = Item(
        kind="task_opened",
        at=opened_at,
        agency=event.agency,
        step=event.step,
        due_at=due_at,
        detail=_terms(event),
    )
    task = Task(event.task_id, event.document_id, event.agency, event.step, opened_at, due_at)
    return Happening(event.document_id, item, event.document_event, opened=task)


def task_signed(event: routing.TaskSigned) -> Happening:
    item = Item(
        kind="task_signed",
        at=wire.moment(event.signed_at),
        actor=event.signed_by,
        agency=event.agency,
        step=event.step,
        detail={"outcome": event.outcome, **_in_place_of(event)},
    )
    return Happening(event.document_id, item)


def task_decided(event: routing.TaskDecided) -> Happening:
    item = Item(
        kind="task_decided",
        at=wire.moment(event.decided_at),
        actor=event.decided_by or SYSTEM,
        agency=event.agency,
        step=event.step,
        reason_code=event.reason_code,
        due_at=wire.moment_or_none(event.tacit_at),
        detail={
            "outcome": event.outcome,
            **({"basis": dict(event.basis)} if event.basis else {}),
            **_in_place_of(event),
        },
    )
    authorised = _quantity(event.authorised_quantity) if event.HasField("authorised_quantity") else None
    return Happening(event.document_id, item, event.document_event, closed_task_id=event.task_id, authorised=authorised)


def conditions_agreed(event: routing.TaskDecided) -> Agreed:
    return Agreed(
        document_id=event.document_id,
        task_id=event.task_id,
        agency=event.agency,
        step=event.step,
        by=event.decided_by or SYSTEM,
        at=wire.moment(event.decided_at),
        imposed=[
            Imposed(one.id, one.code, msgspec.json.decode(one.parameters_json or b"{}"), one.remarks)
            for one in event.imposes
        ],
        met=list(event.satisfies),
    )


def case_closed(event: routing.CaseClosed) -> Happening:
    item = Item("case_closed", wire.moment(event.closed_at), detail={"outcome": event.outcome})
    return Happening(event.document_id, item, event.document_event, closes_case=True)


def deadline_missed(event: routing.DeadlineMissed) -> Happening:
    return _rung("deadline_missed", wire.moment(event.missed_at), event)


def deadline_near(event: routing.DeadlineNear) -> Happening:
    return _rung("deadline_near", wire.moment(event.noticed_at), event)


def task_resumed(event: routing.TaskResumed) -> Happening:
    resumed_at, due_at = wire.moment(event.resumed_at), wire.moment_or_none(event.due_at)
    item = Item(
        kind="task_resumed",
        at=resumed_at,
        agency=event.agency,
        step=event.step,
        due_at=due_at,
        detail=_terms(event),
    )
    task = Task(event.task_id, event.document_id, event.agency, event.step, resumed_at, due_at)
    return Happening(event.document_id, item, resumed=task)


def information_requested(event: routing.InformationRequested) -> Asked:
    request = Request(
        id=event.information_request_id,
        document_id=event.document_id,
        task_id=event.task_id,
        agency=event.agency,
        step=event.step,
        questions=list(event.questions),
        requested_at=wire.moment(event.requested_at),
        due_at=wire.moment_or_none(event.due_at),
    )
    item = Item(
        kind="information_requested",
        at=request.requested_at,
        actor=event.requested_by,
        agency=event.agency,
        step=event.step,
        due_at=request.due_at,
        detail=asked_detail(request, event.reason),
    )
    return Asked(request, item, event.document_event)


def information_lapsed(event: routing.InformationLapsed) -> Lapsed:
    item = Item(
        kind="information_lapsed",
        at=wire.moment(event.lapsed_at),
        agency=event.agency,
        step=event.step,
        due_at=wire.moment_or_none(event.due_at),
        detail={"request_id": event.information_request_id},
    )
    return Lapsed(event.document_id, event.information_request_id, item, event.document_event)


def visit_proposed(event: routing.VisitProposed) -> Happening:
    slot = {"from": wire.rfc3339(wire.moment(event.starts_at)), "to": wire.rfc3339(wire.moment(event.ends_at))}
    detail = {"visit_id": event.visit_id, "party": event.party, "place": event.place, **slot}
    item = Item("visit_proposed", wire.moment(event.proposed_at), event.proposed_by, detail=detail)
    return Happening(event.document_id, replace(item, step=event.step), event.document_event)


def visit_confirmed(event: routing.VisitConfirmed) -> Happening:
    detail = {"visit_id": event.visit_id, "party": event.party, "is_agreed": event.is_agreed}
    detail |= {"is_fixed": True} if event.is_fixed else {}
    item = Item("visit_confirmed", wire.moment(event.confirmed_at), event.confirmed_by, detail=detail)
    return Happening(event.document_id, replace(item, step=event.step), event.document_event)


def visit_declined(event: routing.VisitDeclined) -> Happening:
    detail = {"visit_id": event.visit_id, "party": event.party, "reason": event.reason}
    item = Item("visit_declined", wire.moment(event.declined_at), event.declined_by, detail=detail)
    return Happening(event.document_id, replace(item, step=event.step), event.document_event)


def visit_missed(event: routing.VisitMissed) -> Happening:
    detail = {"visit_id": event.visit_id, "party": event.party, "told_by": event.told_by}
    item = Item("visit_missed", wire.moment(event.told_at), detail=detail)
    return Happening(event.document_id, replace(item, step=event.step), event.document_event)


def control_result(event: routing.ControlResult) -> Happening:
    item = Item(
        kind="control_result",
        at=wire.moment(event.found_at),
        agency=event.agency,
        step=event.step,
        reason_code=event.reason_code,
        detail={"result": event.result},
    )
    return Happening(event.document_id, item)


def charge_recorded(event: billing.ChargeRecorded) -> Happening:
    amount = {"amount_minor": event.amount.amount_minor, "currency": event.amount.currency}
    detail = {"charge_id": event.charge_id, "tariff": event.tariff, "amount": amount}
    return Happening(event.document_id, Item("charge_recorded", wire.moment(event.occurred_at), detail=detail))


def credit_noted(event: billing.CreditNoted) -> Happening:
    amount = {"amount_minor": event.amount.amount_minor, "currency": event.amount.currency}
    detail = {"credit_id": event.credit_id, "charge_id": event.charge_id, "policy": event.policy, "amount": amount}
    return Happening(event.document_id, Item("credit_noted", wire.moment(event.occurred_at), detail=detail))


def _rung(kind: str, at: datetime, event: routing.DeadlineMissed | routing.DeadlineNear) -> Happening:
    told = {"notify": list(event.notify), "labels": dict(event.labels)} if event.notify else {}
    item = Item(
        kind=kind,
        at=at,
        agency=event.agency,
        step=event.step,
        due_at=wire.moment_or_none(event.due_at),
        detail={"rung": event.rung, **told},
    )
    return Happening(event.document_id, item)


def _in_place_of(event: routing.TaskSigned | routing.TaskDecided) -> dict[str, str]:
    return {"on_behalf_of": event.on_behalf_of} if event.on_behalf_of else {}


def _terms(event: routing.TaskOpened | routing.TaskResumed) -> dict[str, Any] | None:
    """When the whole document is due; when the law takes silence for an answer, and for which."""
    terms: dict[str, Any] = {}
    if event.HasField("document_due_at"):
        terms["document_due_at"] = wire.rfc3339(wire.moment(event.document_due_at))
    if event.HasField("tacit_at"):
        terms["tacit"] = {"outcome": event.tacit_outcome, "at": wire.rfc3339(wire.moment(event.tacit_at))}
    return terms or None


def _quantity(message: type_pb2.Quantity) -> Quantity:
    """What is no positive quantity reduces nothing and is noted on the timeline."""
    return Quantity(positive_decimal(message.value) or Decimal(0), message.unit)


def published_table(event: routing.RulesPublished) -> PublishedTable:
    rules = rules_of(event.rules_json)
    return PublishedTable(event.table_id, event.pack_version, event.sequence, wire.moment(event.in_force_from), rules)


HEARD: Mapping[type[Message], Callable[[Any], Happening]] = {
    routing.CaseOpened: case_opened,
    routing.TaskOpened: task_opened,
    routing.TaskSigned: task_signed,
    routing.TaskDecided: task_decided,
    routing.CaseClosed: case_closed,
    routing.DeadlineMissed: deadline_missed,
    routing.DeadlineNear: deadline_near,
    routing.TaskResumed: task_resumed,
    routing.VisitProposed: visit_proposed,
    routing.VisitConfirmed: visit_confirmed,
    routing.VisitDeclined: visit_declined,
    routing.VisitMissed: visit_missed,
    billing.ChargeRecorded: charge_recorded,
    billing.CreditNoted: credit_noted,
}


def handlers(rulebooks: Rulebooks) -> Mapping[type[Message], Handler]:
    async def requested(tx: Tx, _: Event, said: routing.InformationRequested) -> None:
        await asked(tx, rulebooks, information_requested(said))

    async def lapse(tx: Tx, _: Event, said: routing.InformationLapsed) -> None:
        await lapsed(tx, rulebooks, information_lapsed(said))

    async def published(tx: Tx, _: Event, said: routing.RulesPublished) -> None:
        await publish(tx, published_table(said), said.rules_json, wire.moment(said.published_at))

    async def found(tx: Tx, _: Event, said: routing.ControlResult) -> None:
        await hear_result(tx, rulebooks, control_result(said))

    async def told(tx: Tx, heard: Sequence[consumer.Heard]) -> None:
        translated = [(event, HEARD[type(message)](message)) for event, message in heard]
        await hear_all(tx, rulebooks, [Heard(happening, event.traceparent) for event, happening in translated])
        for _, message in heard:
            if isinstance(message, routing.TaskDecided) and (message.imposes or message.satisfies):
                await conditions.agreed(tx, rulebooks, conditions_agreed(message))

    more: dict[type[Message], Handler] = {
        routing.InformationRequested: requested,
        routing.InformationLapsed: lapse,
        routing.ControlResult: found,
        routing.RulesPublished: published,
    }
    return {**dict.fromkeys(HEARD, Together(told)), **more}
