"""Who read and who wrote a document, for those whose it is."""

from __future__ import annotations

import msgspec
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.accesses import Access
from gateway.shapes.common import Page, Paged


async def list_accesses(call: Call, document_id: str, query: Paged) -> Response:
    request = intake_pb2.ListAccessesRequest(id=document_id, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.intake.ListAccesses, request)
    return answered(Page([msgspec.Raw(raw) for raw in reply.access_jsons], reply.next_cursor or None))


OPERATIONS = (
    Operation(
        *("GET", "/v1/documents/{document_id}/accesses", list_accesses),
        "Who read and who wrote the document, newest first",
        answer=Page[Access],
        tag="documents",
    ),
)
