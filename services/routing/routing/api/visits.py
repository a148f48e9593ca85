"""Between the messages about visits and their values."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from google.protobuf.timestamp_pb2 import Timestamp
from kit import pages
from kit.errors import Invalid, Malformed, Violation
from kit.wire import moment_or_none, timestamp
from portolan.routing.v1 import routing_pb2 as pb

from routing import store
from routing.domain import Case, Party, Slot, Visit
from routing.domain.visits import FINDINGS_CHARACTERS_MAX, PLACE_CHARACTERS_MAX, REASON_CHARACTERS_MAX

from .messages import KEY_CHARACTERS_MAX

# A list of absences has no filter: its cursors are bound to what it lists.
NO_SHOWS = {"list": "no_shows"}


def slot(request: pb.ProposeVisitRequest) -> Slot:
    starts_at, ends_at = _moment("/from", request.starts_at), _moment("/to", request.ends_at)
    return Slot(starts_at, ends_at, words("/place", request.place, PLACE_CHARACTERS_MAX))


def request_id(request: pb.ProposeVisitRequest) -> str:
    return words("/request_id", request.request_id, KEY_CHARACTERS_MAX)


def reason(request: pb.DeclineVisitRequest) -> str:
    return words("/reason", request.reason, REASON_CHARACTERS_MAX)


def party(request: pb.ReportNoShowRequest) -> str:
    return words("/party", request.party, KEY_CHARACTERS_MAX)


def findings(request: pb.RecordVisitRequest) -> str:
    return words("/findings", request.findings, FINDINGS_CHARACTERS_MAX)


def visit(case: Case, given: Visit) -> pb.Visit:
    return pb.Visit(
        id=given.id,
        document_id=case.document.document_id,
        reference=case.document.reference,
        number=given.number,
        state=given.state,
        place=given.slot.place,
        starts_at=timestamp(given.slot.starts_at),
        ends_at=timestamp(given.slot.ends_at),
        proposed_by=given.proposed_by.party,
        proposed_at=timestamp(given.proposed_at),
        parties=[_party(given, one) for one in given.parties],
        ended_by=given.ended_by,
        reason=given.reason,
        closed_at=timestamp(given.closed_at),
        is_fixed=given.is_fixed,
    )


def no_show(given: store.Absence) -> pb.NoShow:
    return pb.NoShow(
        id=given.id,
        visit_id=given.visit_id,
        document_id=given.document_id,
        reference=given.reference,
        party=given.party,
        told_by=given.told_by,
        told_at=timestamp(given.told_at),
        place=given.slot.place,
        starts_at=timestamp(given.slot.starts_at),
        ends_at=timestamp(given.slot.ends_at),
    )


def after(request: pb.ListNoShowsRequest) -> tuple[str, str] | None:
    position: tuple[str, str] | None = pages.decode(request.cursor, NO_SHOWS, tuple[str, str])
    if position is None:
        return None
    try:
        is_moment = datetime.fromisoformat(position[0]).tzinfo is not None
    except ValueError:
        is_moment = False
    if not is_moment:
        raise Malformed("MALFORMED", "the cursor is not one of ours")
    return position


def cursor(last: store.Absence) -> str:
    return pages.encode(NO_SHOWS, [last.told_at.isoformat(), last.id])


def words(pointer: str, text: str, characters_max: int) -> str:
    if not text.strip():
        _refuse(pointer, "REQUIRED", "must say something")
    if len(text) > characters_max:
        _refuse(pointer, "TOO_LONG", f"at most {characters_max} characters")
    if "\x00" in text:
        _refuse(pointer, "NUL", "a text cannot hold NUL")
    return text


def _moment(pointer: str, given: Timestamp) -> datetime:
    moment = moment_or_none(given)
    if moment is None:
        _refuse(pointer, "REQUIRED", "a moment is needed")
    return moment


def _party(visit: Visit, given: Party) -> pb.VisitParty:
    return pb.VisitParty(
        party=given.name,
        confirmed_at=timestamp(given.confirmed_at),
        recorded_at=timestamp(given.recorded_at),
        findings=given.findings,
        missed=visit.missed_by(given.name),
    )


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_REQUEST", message, violations=[Violation(pointer, code, message)])
