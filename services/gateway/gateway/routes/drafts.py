"""Drafts: written loosely, copied, submitted once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from kit import clock, trace
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway import hot, rates
from gateway.call import Call, answered, passed_on
from gateway.operation import MERGE_PATCH, Operation
from gateway.routes.document_types import price_of
from gateway.routes.documents import if_match, if_match_or_none
from gateway.shapes.common import Page
from gateway.shapes.documents import Document
from gateway.shapes.drafts import Copying, DeletedDraft, Draft, DraftFilter, DraftSummary


class _Lock(msgspec.Struct):
    price_version: str
    until: datetime


class _Priced(msgspec.Struct):
    type: str
    owner_organisation_id: str
    price_lock: _Lock | None = None

    @property
    def price_version(self) -> str:
        lock = self.price_lock
        return lock.price_version if lock and clock.now() < lock.until else ""


async def create_draft(call: Call, raw: bytes) -> Response:
    request = intake_pb2.CreateDraftRequest(request_json=raw, idempotency_key=call.idempotency_key_or_none() or "")
    reply = await call.ask(call.up.intake.CreateDraft, request)
    return await _created(call, reply.draft_json, reply.draft_id, reply.etag)


async def list_drafts(call: Call, query: DraftFilter) -> Response:
    request = intake_pb2.ListDraftsRequest(
        type=query.type, templates_only=query.template, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.intake.ListDrafts, request)
    return answered(Page([msgspec.Raw(raw) for raw in reply.draft_jsons], reply.next_cursor or None))


async def get_draft(call: Call, draft_id: str) -> Response:
    reply = await call.ask(call.up.intake.GetDraft, intake_pb2.GetDraftRequest(id=draft_id))
    return await _shown(call, reply.draft_json, {"etag": reply.etag})


async def replace_draft(call: Call, draft_id: str, raw: bytes) -> Response:
    return await _change(call, draft_id, raw, merge=False)


async def change_draft(call: Call, draft_id: str, raw: bytes) -> Response:
    return await _change(call, draft_id, raw, merge=True)


async def delete_draft(call: Call, draft_id: str) -> Response:
    await call.ask(call.up.intake.DeleteDraft, intake_pb2.DeleteDraftRequest(id=draft_id, if_match=if_match(call)))
    return answered(DeletedDraft(draft_id))


async def submit_draft(call: Call, draft_id: str) -> Response:
    key = hot.idempotency_key(call.header("idempotency-key"))
    request = intake_pb2.SubmitDraftRequest(
        id=draft_id, if_match=if_match_or_none(call), idempotency_key=key, traceparent=trace.current()
    )
    reply = await call.ask(call.up.intake.SubmitDraft, request)
    answer = intake_pb2.SubmissionAnswer(
        document_json=reply.document_json, document_id=reply.document_id, etag=reply.etag, replayed=reply.replayed
    )
    return hot.accepted(answer)


async def copy_document(call: Call, document_id: str, body: Copying) -> Response:
    request = intake_pb2.CopyDocumentRequest(
        id=document_id, copying=_copying(body), idempotency_key=call.idempotency_key_or_none() or ""
    )
    reply = await call.ask(call.up.intake.CopyDocument, request)
    return await _created(call, reply.draft_json, reply.draft_id, reply.etag)


async def copy_draft(call: Call, draft_id: str, body: Copying) -> Response:
    request = intake_pb2.CopyDraftRequest(
        id=draft_id, copying=_copying(body), idempotency_key=call.idempotency_key_or_none() or ""
    )
    reply = await call.ask(call.up.intake.CopyDraft, request)
    return await _created(call, reply.draft_json, reply.draft_id, reply.etag)


def _copying(body: Copying) -> intake_pb2.Copying:
    return intake_pb2.Copying(on_behalf_of=body.on_behalf_of, label=body.label, template=body.template)


async def _change(call: Call, draft_id: str, raw: bytes, *, merge: bool) -> Response:
    request = intake_pb2.ChangeDraftRequest(id=draft_id, if_match=if_match(call), request_json=raw, merge=merge)
    reply = await call.ask(call.up.intake.ChangeDraft, request)
    return await _shown(call, reply.draft_json, {"etag": reply.etag})


async def _created(call: Call, draft_json: bytes, draft_id: str, etag: str) -> Response:
    return await _shown(call, draft_json, {"etag": etag, "location": f"/v1/drafts/{draft_id}"}, 201)


async def _shown(call: Call, draft_json: bytes, headers: dict[str, str], status: int = 200) -> Response:
    """With what submitting it now would cost its owner."""
    known = msgspec.json.decode(draft_json, type=_Priced)
    price = msgspec.json.encode(await price_of(call, known.type, known.owner_organisation_id, known.price_version))
    return passed_on(b"".join((draft_json[:-1], b',"price":', price, b"}")), status, headers)


_SHOWN: dict[str, Any] = {"answer": Draft, "tag": "drafts", "answer_headers": ("ETag",)}
_MADE: dict[str, Any] = {
    **{"answer": Draft, "tag": "drafts", "status": 201, "answer_headers": ("Location", "ETag")},
    "request_headers": ("Idempotency-Key?",),
}

OPERATIONS = (
    Operation(
        *("POST", "/v1/drafts", create_draft, "Begin a document: anything may be missing yet"),
        **_MADE,
        raw_schema="DraftContent",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
    ),
    Operation(
        *("GET", "/v1/drafts", list_drafts, "Drafts of the caller's organisation, newest first, without bodies"),
        answer=Page[DraftSummary],
        tag="drafts",
    ),
    Operation(
        *("GET", "/v1/drafts/{draft_id}", get_draft, "A draft, and what its submission would be refused for"), **_SHOWN
    ),
    Operation(
        *("PUT", "/v1/drafts/{draft_id}", replace_draft, "Write a draft anew"),
        **_SHOWN,
        raw_schema="DraftContent",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        request_headers=("If-Match",),
    ),
    Operation(
        *("PATCH", "/v1/drafts/{draft_id}", change_draft, "Change a draft by a merge patch (RFC 7396)"),
        **_SHOWN,
        raw_schema="DraftPatch",
        also_media_types=(MERGE_PATCH,),
        bytes_max=hot.DOCUMENT_BYTES_MAX,
        request_headers=("If-Match",),
    ),
    Operation(
        *("DELETE", "/v1/drafts/{draft_id}", delete_draft, "Throw a draft away"),
        answer=DeletedDraft,
        tag="drafts",
        request_headers=("If-Match",),
    ),
    Operation(
        *("POST", "/v1/drafts/{draft_id}:submit", submit_draft, "Submit what the draft says, once"),
        answer=Document,
        status=201,
        tag="drafts",
        request_headers=("Idempotency-Key", "If-Match?"),
        answer_headers=("Location", "ETag", "Idempotent-Replayed"),
        rate_class=rates.SUBMISSIONS,
    ),
    Operation(
        *("POST", "/v1/drafts/{draft_id}:copy", copy_draft, "A new draft that says the same; so a template is used"),
        **_MADE,
    ),
    Operation(
        *("POST", "/v1/documents/{document_id}:copy", copy_document, "A draft of the same type that says the same"),
        **_MADE,
    ),
)
