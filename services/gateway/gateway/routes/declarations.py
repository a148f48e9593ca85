"""The link with the customs system: its events in, its declarations as they stand here."""

from __future__ import annotations

from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway import hot
from gateway.call import Call, passed_on
from gateway.operation import Operation
from gateway.shapes.declarations import Declaration, ToldEvent


async def tell_declaration(call: Call, number: str, raw: bytes) -> Response:
    request = intake_pb2.TellDeclarationRequest(number=number, request_json=raw)
    reply = await call.ask(call.up.intake.TellDeclaration, request)
    headers = {"location": f"/v1/declarations/{number}"}
    return passed_on(reply.event_json, 201, headers | ({"idempotent-replayed": "true"} if reply.replayed else {}))


async def get_declaration(call: Call, number: str) -> Response:
    reply = await call.ask(call.up.intake.GetDeclaration, intake_pb2.GetDeclarationRequest(number=number))
    return passed_on(reply.declaration_json)


OPERATIONS = (
    Operation(
        *("POST", "/v1/declarations/{number}/events", tell_declaration),
        "Tell what happened to a declaration; again is the same answer",
        answer=ToldEvent,
        status=201,
        tag="declarations",
        raw_schema="DeclarationEvent",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        answer_headers=("Location", "Idempotent-Replayed"),
    ),
    Operation(
        *("GET", "/v1/declarations/{number}", get_declaration, "A declaration, its events, what it takes of titles"),
        answer=Declaration,
        tag="declarations",
    ),
)
