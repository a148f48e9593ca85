"""Absences between messages and values."""

from __future__ import annotations

from kit import pages, wire
from kit.errors import Invalid, Violation
from portolan.routing.v1 import routing_pb2 as pb

from routing.actions.absences import Away
from routing.domain import Absence

from .messages import KEY_CHARACTERS_MAX, person


def away(request: pb.CreateAbsenceRequest) -> Away:
    if not (request.HasField("starts_at") and request.HasField("ends_at")):
        raise Invalid("INVALID_REQUEST", violations=[Violation("/from", "REQUIRED", "from when, and to when")])
    return Away(
        person=person("/person", request.person) if request.person else "",
        delegate=person("/delegate", request.delegate),
        starts_at=wire.moment(request.starts_at),
        ends_at=wire.moment(request.ends_at),
        request_id=request.request_id[:KEY_CHARACTERS_MAX],
    )


def after(request: pb.ListAbsencesRequest) -> str:
    position: tuple[str] | None = pages.decode(request.cursor, {}, tuple[str])
    return position[0] if position else ""


def cursor(last: Absence) -> str:
    return pages.encode({}, [last.id])


def absence(given: Absence) -> pb.Absence:
    return pb.Absence(
        id=given.id,
        agency=given.agency,
        person=given.person,
        delegate=given.delegate,
        starts_at=wire.timestamp(given.starts_at),
        ends_at=wire.timestamp(given.ends_at),
        created_by=given.created_by,
        created_at=wire.timestamp(given.created_at),
        ended_at=wire.timestamp(given.ended_at),
    )
