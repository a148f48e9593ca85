"""Joint visits: one appointment for the operator and every agency that looks at the goods."""

from __future__ import annotations

from typing import Any

from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, timestamp
from gateway.shapes.visits import (
    Absence,
    Declining,
    Findings,
    NoShow,
    NoShowFilter,
    Visit,
    VisitProposal,
    Visits,
    no_show,
    visit,
)


async def propose_visit(call: Call, document_id: str, body: VisitProposal) -> Response:
    request = routing_pb2.ProposeVisitRequest(
        document_id=document_id,
        place=body.place,
        starts_at=timestamp(body.starts_at, "/from"),
        ends_at=timestamp(body.ends_at, "/to"),
        request_id=call.request_id(),
    )
    reply = await call.ask(call.up.routing.ProposeVisit, request)
    return answered(visit(reply.visit), status=201)


async def list_visits(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.routing.ListVisits, routing_pb2.ListVisitsRequest(document_id=document_id))
    return answered(Visits([visit(one) for one in reply.visits]))


async def confirm_visit(call: Call, visit_id: str) -> Response:
    reply = await call.ask(call.up.routing.ConfirmVisit, routing_pb2.ConfirmVisitRequest(id=visit_id))
    return answered(visit(reply.visit))


async def decline_visit(call: Call, visit_id: str, body: Declining) -> Response:
    request = routing_pb2.DeclineVisitRequest(id=visit_id, reason=body.reason)
    reply = await call.ask(call.up.routing.DeclineVisit, request)
    return answered(visit(reply.visit))


async def report_no_show(call: Call, visit_id: str, body: Absence) -> Response:
    request = routing_pb2.ReportNoShowRequest(id=visit_id, party=body.party)
    reply = await call.ask(call.up.routing.ReportNoShow, request)
    return answered(visit(reply.visit))


async def record_visit(call: Call, visit_id: str, body: Findings) -> Response:
    request = routing_pb2.RecordVisitRequest(id=visit_id, findings=body.findings)
    reply = await call.ask(call.up.routing.RecordVisit, request)
    return answered(visit(reply.visit))


async def list_no_shows(call: Call, query: NoShowFilter) -> Response:
    request = routing_pb2.ListNoShowsRequest(cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.routing.ListNoShows, request)
    return answered(Page([no_show(one) for one in reply.no_shows], reply.next_cursor or None))


_VISIT: dict[str, Any] = {"answer": Visit, "tag": "visits"}
_ONE = "/v1/visits/{visit_id}"

OPERATIONS = (
    Operation(
        *("POST", "/v1/documents/{document_id}/visits", propose_visit, "Propose when and where to look at the goods"),
        **_VISIT,
        status=201,
        request_headers=("Idempotency-Key?",),
    ),
    Operation(
        *("GET", "/v1/documents/{document_id}/visits", list_visits, "Every visit proposed for a document"),
        answer=Visits,
        tag="visits",
    ),
    Operation("POST", f"{_ONE}:confirm", confirm_visit, "Agree to a visit, for one's party", **_VISIT),
    Operation("POST", f"{_ONE}:decline", decline_visit, "Decline a visit; then propose another", **_VISIT),
    Operation("POST", f"{_ONE}:no-show", report_no_show, "Say which other party did not come", **_VISIT),
    Operation("POST", f"{_ONE}:record", record_visit, "Record what one's agency found", **_VISIT),
    Operation(
        *("GET", "/v1/no-shows", list_no_shows, "Who did not come, newest first"),
        answer=Page[NoShow],
        tag="visits",
    ),
)
