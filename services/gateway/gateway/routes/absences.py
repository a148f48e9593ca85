"""Absences: an officer's own, or by the agency's administrator anybody's of the agency."""

from __future__ import annotations

from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.absences import NewStandIn, StandIn, absence
from gateway.shapes.common import Page, Paged, timestamp


async def create_absence(call: Call, body: NewStandIn) -> Response:
    request = routing_pb2.CreateAbsenceRequest(
        request_id=call.request_id(),
        person=body.person,
        delegate=body.delegate,
        starts_at=timestamp(body.from_, "/from"),
        ends_at=timestamp(body.to, "/to"),
    )
    reply = await call.ask(call.up.routing.CreateAbsence, request)
    return answered(absence(reply.absence), 201)


async def list_absences(call: Call, query: Paged) -> Response:
    request = routing_pb2.ListAbsencesRequest(cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.routing.ListAbsences, request)
    return answered(Page([absence(one) for one in reply.absences], reply.next_cursor or None))


async def end_absence(call: Call, absence_id: str) -> Response:
    reply = await call.ask(call.up.routing.EndAbsence, routing_pb2.EndAbsenceRequest(id=absence_id))
    return answered(absence(reply.absence))


OPERATIONS = (
    Operation(
        *("POST", "/v1/absences", create_absence, "Say who is away, and who acts meanwhile"),
        answer=StandIn,
        status=201,
        tag="tasks",
        request_headers=("Idempotency-Key?",),
    ),
    Operation("GET", "/v1/absences", list_absences, "Absences at the agency", answer=Page[StandIn], tag="tasks"),
    Operation("POST", "/v1/absences/{absence_id}:end", end_absence, "Back again, at once", answer=StandIn, tag="tasks"),
)
