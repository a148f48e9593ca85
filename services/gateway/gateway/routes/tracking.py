"""Tracking: what belongs together, and one box for every number."""

from __future__ import annotations

import msgspec
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, answered, passed_on
from gateway.operation import Operation
from gateway.shapes.tracking import Graph, GraphFilter, Hits, NewPrefill, Prefilled, Provenance, SearchFilter


async def get_graph(call: Call, document_id: str, query: GraphFilter) -> Response:
    request = intake_pb2.GetGraphRequest(id=document_id, depth=query.depth)
    reply = await call.ask(call.up.intake.GetGraph, request)
    return passed_on(reply.graph_json)


async def get_provenance(call: Call, document_id: str) -> Response:
    request = intake_pb2.GetProvenanceRequest(id=document_id)
    reply = await call.ask(call.up.intake.GetProvenance, request)
    return passed_on(reply.provenance_json)


async def prefill_document(call: Call, body: NewPrefill) -> Response:
    request = intake_pb2.PrefillDocumentRequest(type=body.type, sources=body.sources)
    reply = await call.ask(call.up.intake.PrefillDocument, request)
    return passed_on(reply.prefilled_json)


async def search_documents(call: Call, query: SearchFilter) -> Response:
    request = intake_pb2.SearchRequest(query=query.q, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.intake.Search, request)
    items = [msgspec.Raw(raw) for raw in reply.hit_jsons]
    return answered(_Found(items, reply.next_cursor or None, reply.left_off))


class _Found(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | None
    left_off: bool


OPERATIONS = (
    Operation(
        *("GET", "/v1/documents/{document_id}/graph", get_graph, "The documents around a document"),
        answer=Graph,
        tag="tracking",
    ),
    Operation(
        *("GET", "/v1/documents/{document_id}/provenance", get_provenance, "Which values came from which document"),
        answer=Provenance,
        tag="tracking",
    ),
    Operation(
        *("POST", "/v1/documents:prefill", prefill_document, "A body begun with what other documents already say"),
        answer=Prefilled,
        tag="documents",
    ),
    Operation(
        *("GET", "/v1/search", search_documents, "Documents by the beginning of any number they bear"),
        answer=Hits,
        tag="tracking",
    ),
)
