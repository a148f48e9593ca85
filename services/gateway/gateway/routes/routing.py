"""Why: the rules a document met, and what came of them."""

from __future__ import annotations

from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.routing import Routing, routing


async def get_routing(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.routing.GetRouting, routing_pb2.GetRoutingRequest(document_id=document_id))
    return answered(routing(reply, call.language))


OPERATIONS = (
    Operation(
        *("GET", "/v1/documents/{document_id}/routing", get_routing),
        "Why the document came to its agencies and its channel",
        answer=Routing,
        tag="documents",
    ),
)
