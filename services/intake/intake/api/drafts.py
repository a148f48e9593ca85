"""Message → action → message, of drafts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kit.auth import caller
from portolan.intake.v1 import intake_pb2 as pb

from intake.actions.copying import Copying, Copyist
from intake.actions.drafting import DraftDesk
from intake.actions.filing import DraftFiling, FilingDesk
from intake.store.drafts import Filter


@dataclass(frozen=True, slots=True)
class Drafts:
    desk: DraftDesk
    copyist: Copyist
    filing: FilingDesk


class DraftApi:
    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts

    async def CreateDraft(self, request: pb.CreateDraftRequest, context: Any) -> pb.CreateDraftResponse:
        shown = await self._drafts.desk.create(caller(), request.request_json, request.idempotency_key)
        return pb.CreateDraftResponse(draft_json=shown.draft_json, draft_id=shown.draft_id, etag=shown.etag)

    async def GetDraft(self, request: pb.GetDraftRequest, context: Any) -> pb.GetDraftResponse:
        shown = await self._drafts.desk.read(caller(), request.id)
        return pb.GetDraftResponse(draft_json=shown.draft_json, etag=shown.etag)

    async def ListDrafts(self, request: pb.ListDraftsRequest, context: Any) -> pb.ListDraftsResponse:
        asked = Filter(request.type, request.templates_only)
        found, following = await self._drafts.desk.page(caller(), asked, request.cursor, request.limit)
        return pb.ListDraftsResponse(draft_jsons=found, next_cursor=following)

    async def ChangeDraft(self, request: pb.ChangeDraftRequest, context: Any) -> pb.ChangeDraftResponse:
        shown = await self._drafts.desk.change(
            caller(), request.id, request.if_match, request.request_json, merge=request.merge
        )
        return pb.ChangeDraftResponse(draft_json=shown.draft_json, etag=shown.etag)

    async def DeleteDraft(self, request: pb.DeleteDraftRequest, context: Any) -> pb.DeleteDraftResponse:
        await self._drafts.desk.delete(caller(), request.id, request.if_match)
        return pb.DeleteDraftResponse()

    async def SubmitDraft(self, request: pb.SubmitDraftRequest, context: Any) -> pb.SubmitDraftResponse:
        filing = DraftFiling(caller(), request.id, request.if_match, request.idempotency_key, request.traceparent)
        answer = await self._drafts.filing.submit(filing)
        return pb.SubmitDraftResponse(
            document_json=answer.document_json,
            document_id=answer.document_id,
            etag=answer.etag,
            replayed=answer.replayed,
        )

    async def CopyDocument(self, request: pb.CopyDocumentRequest, context: Any) -> pb.CopyDocumentResponse:
        copying = _copying(request.copying)
        shown = await self._drafts.copyist.copy_document(caller(), request.id, copying, request.idempotency_key)
        return pb.CopyDocumentResponse(draft_json=shown.draft_json, draft_id=shown.draft_id, etag=shown.etag)

    async def CopyDraft(self, request: pb.CopyDraftRequest, context: Any) -> pb.CopyDraftResponse:
        copying = _copying(request.copying)
        shown = await self._drafts.copyist.copy_draft(caller(), request.id, copying, request.idempotency_key)
        return pb.CopyDraftResponse(draft_json=shown.draft_json, draft_id=shown.draft_id, etag=shown.etag)


def _copying(asked: pb.Copying) -> Copying:
    return Copying(asked.on_behalf_of, asked.label, asked.template)
