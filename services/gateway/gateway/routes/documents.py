"""Documents: submitted, read, amended, withdrawn, cancelled, followed."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from kit.errors import Malformed, PreconditionRequired
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway import hot, rates
from gateway.call import Call, answered, passed_on
from gateway.operation import Operation
from gateway.shapes.common import Page
from gateway.shapes.documents import (
    AmendedDocument,
    Cancellation,
    Document,
    DocumentFilter,
    Receipt,
    ReceiptFilter,
    Timeline,
    Withdrawal,
)

ENTITY_TAGS = re.compile(r'\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*')


async def submit_document(call: Call) -> Response:
    """The edge answers this call itself (hot.py); here is the same function for the framework and the OpenAPI."""
    return await hot.submit(call.wiring, call.request.scope, call.request.receive, call.principal, call.language)


async def list_documents(call: Call, query: DocumentFilter) -> Response:
    request = intake_pb2.ListDocumentsRequest(
        type=query.type, state=query.state, query=query.q, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.intake.ListDocuments, request)
    items = [msgspec.Raw(raw) for raw in reply.document_jsons]
    return answered(Page(items, reply.next_cursor or None))


async def get_document(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.intake.GetDocument, intake_pb2.GetDocumentRequest(id=document_id))
    headers = {"etag": hot.entity_tag(reply.etag)}
    if _names(call.header("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return passed_on(reply.document_json, headers=headers)


async def withdraw_document(call: Call, document_id: str, body: Withdrawal) -> Response:
    request = intake_pb2.WithdrawDocumentRequest(id=document_id, if_match=if_match(call), reason=body.reason)
    reply = await call.ask(call.up.intake.WithdrawDocument, request)
    return passed_on(reply.document_json, headers={"etag": hot.entity_tag(reply.etag)})


async def amend_document(call: Call, document_id: str, raw: bytes) -> Response:
    request = intake_pb2.AmendDocumentRequest(
        id=document_id,
        if_match=if_match(call),
        request_json=raw,
        idempotency_key=call.idempotency_key_or_none() or "",
    )
    reply = await call.ask(call.up.intake.AmendDocument, request)
    return passed_on(reply.document_json, headers=acted(reply.etag, reply.replayed))


async def complete_document(call: Call, document_id: str, stage: str, raw: bytes) -> Response:
    request = intake_pb2.CompleteStageRequest(
        id=document_id,
        stage=stage,
        if_match=if_match(call),
        request_json=raw,
        idempotency_key=call.idempotency_key_or_none() or "",
    )
    reply = await call.ask(call.up.intake.CompleteStage, request)
    return passed_on(reply.document_json, headers=acted(reply.etag, reply.replayed))


async def cancel_document(call: Call, document_id: str, body: Cancellation) -> Response:
    request = intake_pb2.CancelDocumentRequest(
        id=document_id,
        if_match=if_match(call),
        reason=body.reason,
        idempotency_key=call.idempotency_key_or_none() or "",
    )
    reply = await call.ask(call.up.intake.CancelDocument, request)
    return passed_on(reply.document_json, headers=acted(reply.etag, reply.replayed))


async def get_timeline(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.intake.GetTimeline, intake_pb2.GetTimelineRequest(id=document_id))
    return passed_on(reply.timeline_json)


async def get_receipt(call: Call, document_id: str, query: ReceiptFilter) -> Response:
    request = intake_pb2.GetReceiptRequest(id=document_id, version=query.version)
    reply = await call.ask(call.up.intake.GetReceipt, request)
    return passed_on(reply.receipt_json)


def acted(etag: str, replayed: bool) -> dict[str, str]:
    headers = {"etag": hot.entity_tag(etag)}
    return headers | {"idempotent-replayed": "true"} if replayed else headers


def if_match(call: Call) -> str:
    """Raises PreconditionRequired; Malformed for what is no list of entity tags."""
    given = call.header("if-match").strip()
    if not given:
        raise PreconditionRequired("PRECONDITION_REQUIRED", "send the document's ETag in If-Match")
    if not ENTITY_TAGS.fullmatch(given):
        raise Malformed("MALFORMED", "If-Match takes an entity tag, as ETag gave it")
    return given


def if_match_or_none(call: Call) -> str:
    """Where it may be left out. Raises Malformed for what is no list of entity tags."""
    return if_match(call) if call.header("if-match").strip() else ""


def _names(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


_DOCUMENT: dict[str, Any] = {"answer": Document, "tag": "documents"}

OPERATIONS = (
    Operation(
        *(hot.METHOD, hot.PATH, submit_document, "Submit a document"),
        **_DOCUMENT,
        status=201,
        raw_schema="Submission",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        request_headers=("Idempotency-Key",),
        answer_headers=("Location", "ETag", "Idempotent-Replayed"),
        rate_class=rates.SUBMISSIONS,
    ),
    Operation(
        *("GET", "/v1/documents", list_documents, "Documents the caller may see, newest first"),
        answer=Page[Document],
        tag="documents",
    ),
    Operation(
        *("GET", "/v1/documents/{document_id}", get_document, "A document, by id or reference"),
        **_DOCUMENT,
        request_headers=("If-None-Match?",),
        answer_headers=("ETag",),
    ),
    Operation(
        *("POST", "/v1/documents/{document_id}:withdraw", withdraw_document, "Take a document back"),
        **_DOCUMENT,
        request_headers=("If-Match",),
        answer_headers=("ETag",),
    ),
    Operation(
        *("POST", "/v1/documents/{document_id}:amend", amend_document, "A new body for a document that stands"),
        answer=AmendedDocument,
        tag="documents",
        raw_schema="Amendment",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        request_headers=("If-Match", "Idempotency-Key?"),
        answer_headers=("ETag", "Idempotent-Replayed"),
    ),
    Operation(
        *(
            "POST",
            "/v1/documents/{document_id}/stages/{stage}:complete",
            complete_document,
            "Give one part of a document that is filed in stages",
        ),
        **_DOCUMENT,
        raw_schema="Amendment",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        request_headers=("If-Match", "Idempotency-Key?"),
        answer_headers=("ETag", "Idempotent-Replayed"),
    ),
    Operation(
        *("POST", "/v1/documents/{document_id}:cancel", cancel_document, "End a document of which nothing is imputed"),
        **_DOCUMENT,
        request_headers=("If-Match", "Idempotency-Key?"),
        answer_headers=("ETag", "Idempotent-Replayed"),
    ),
    Operation(
        *("GET", "/v1/documents/{document_id}/timeline", get_timeline, "Who holds it, since when, due when"),
        answer=Timeline,
        tag="documents",
    ),
    Operation(
        *("GET", "/v1/documents/{document_id}/receipt", get_receipt, "The signed receipt, verifiable offline"),
        answer=Receipt,
        tag="documents",
    ),
)
