"""What routing says of visits, and of what was found."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from kit.wire import timestamp
from portolan.routing.v1 import events_pb2

from routing.domain import Case, ResultFound, Visit, VisitConfirmed, VisitDeclined, VisitMissed, VisitProposed

from .said import message


@message.register
def _(fact: ResultFound, case: Case) -> Message:
    return events_pb2.ControlResult(
        case_id=case.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        document_type=case.document.document_type,
        owner_organisation_id=case.document.owner_organisation_id,
        step=fact.task.step,
        agency=fact.task.agency,
        result=fact.result,
        reason_code=fact.task.reason_code,
        found_at=timestamp(fact.found_at),
    )


@message.register
def _(fact: VisitProposed, case: Case) -> Message:
    visit = fact.visit
    return events_pb2.VisitProposed(
        **_about(visit, case),
        party=visit.proposed_by.party,
        proposed_by=visit.proposed_by.person,
        ends_at=timestamp(visit.slot.ends_at),
        proposed_at=timestamp(visit.proposed_at),
        document_event=fact.document_event,
    )


@message.register
def _(fact: VisitConfirmed, case: Case) -> Message:
    return events_pb2.VisitConfirmed(
        **_about(fact.visit, case),
        party=fact.by.party,
        confirmed_by=fact.by.person,
        ends_at=timestamp(fact.visit.slot.ends_at),
        confirmed_at=timestamp(fact.confirmed_at),
        document_event=fact.document_event,
        is_agreed=fact.visit.is_agreed,
        is_fixed=fact.visit.is_fixed,
    )


@message.register
def _(fact: VisitDeclined, case: Case) -> Message:
    return events_pb2.VisitDeclined(
        **_about(fact.visit, case),
        party=fact.by.party,
        declined_by=fact.by.person,
        reason=fact.visit.reason,
        declined_at=timestamp(fact.declined_at),
        document_event=fact.document_event,
    )


@message.register
def _(fact: VisitMissed, case: Case) -> Message:
    return events_pb2.VisitMissed(
        **_about(fact.visit, case),
        party=fact.no_show.party,
        told_by=fact.no_show.told_by.party,
        told_at=timestamp(fact.no_show.told_at),
        document_event=fact.document_event,
    )


def _about(visit: Visit, case: Case) -> dict[str, Any]:
    return {
        "visit_id": visit.id,
        "case_id": case.id,
        "document_id": case.document.document_id,
        "reference": case.document.reference,
        "document_type": case.document.document_type,
        "step": visit.step,
        "number": visit.number,
        "agencies": visit.agencies,
        "place": visit.slot.place,
        "starts_at": timestamp(visit.slot.starts_at),
    }
