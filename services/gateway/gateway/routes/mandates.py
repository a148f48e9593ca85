"""Who may act for whom."""

from __future__ import annotations

from portolan.identity.v1 import identity_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, Paged, timestamp
from gateway.shapes.people import Mandate, NewMandate, mandate


async def grant_mandate(call: Call, organisation_id: str, body: NewMandate) -> Response:
    wanted = identity_pb2.Mandate(
        principal_organisation_id=organisation_id,
        agent_organisation_id=body.agent_organisation_id,
        powers=body.powers,
        document_types=body.document_types,
        valid_from=timestamp(body.valid_from, "/valid_from"),
        valid_to=timestamp(body.valid_to, "/valid_to"),
    )
    request = identity_pb2.GrantMandateRequest(request_id=call.request_id(), mandate=wanted)
    reply = await call.ask(call.up.identity.GrantMandate, request)
    return answered(mandate(reply.mandate), 201)


async def list_mandates(call: Call, organisation_id: str, query: Paged) -> Response:
    request = identity_pb2.ListMandatesRequest(organisation_id=organisation_id, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.identity.ListMandates, request)
    return answered(Page([mandate(one) for one in reply.mandates], reply.next_cursor or None))


async def revoke_mandate(call: Call, organisation_id: str, mandate_id: str) -> Response:
    request = identity_pb2.RevokeMandateRequest(id=mandate_id, principal_organisation_id=organisation_id)
    reply = await call.ask(call.up.identity.RevokeMandate, request)
    return answered(mandate(reply.mandate))


_ALL = "/v1/organisations/{organisation_id}/mandates"

OPERATIONS = (
    Operation(
        *("POST", _ALL, grant_mandate, "Authorise another organisation to act for this one"),
        answer=Mandate,
        status=201,
        tag="mandates",
        request_headers=("Idempotency-Key?",),
    ),
    Operation("GET", _ALL, list_mandates, "Mandates given and held", answer=Page[Mandate], tag="mandates"),
    Operation(
        *("POST", f"{_ALL}/{{mandate_id}}:revoke", revoke_mandate, "Take a mandate back, at once"),
        answer=Mandate,
        tag="mandates",
    ),
)
