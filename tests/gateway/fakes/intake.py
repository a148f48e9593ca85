"""Intake as the gateway sees it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
from grpc import StatusCode
from kit import errors, strict_json
from portolan.intake.v1 import intake_pb2, intake_pb2_grpc

from tests.gateway.builders import (
    AN_ORIGIN,
    AT,
    DOCUMENT_TYPE,
    a_condition,
    a_document,
    a_draft,
    a_draft_summary,
    a_node,
    a_payment,
    a_told_event,
    an_imputation,
    encoded,
)


class FakeIntake(intake_pb2_grpc.IntakeServiceServicer):
    """Keeps what is submitted by key. `breaks` streams break after hearing a message; `pause_s` slows every answer."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.messages: list[int] = []
        self.stored: dict[str, tuple[bytes, bytes]] = {}
        self.breaks = 0
        self.pause_s = 0.0
        self.timeline = 2
        self.goes_on = False
        self.pieces = 0
        self.attachments: dict[str, bytes] = {}
        self.refusal: errors.PortolanError | None = None
        self.withdrawn: list[intake_pb2.WithdrawDocumentRequest] = []
        self.replies: list[intake_pb2.ProvideInformationRequest] = []
        self.readings: list[tuple[str, list[str]]] = []
        self.heard: list[intake_pb2.Submission] = []
        self.deadlines: list[float] = []

    async def SubmitDocuments(self, requests: Any, context: Any) -> AsyncIterator[intake_pb2.SubmitDocumentsResponse]:
        async for request in requests:
            self.messages.append(len(request.submissions))
            if self.breaks:
                self.breaks -= 1
                await context.abort(StatusCode.UNAVAILABLE, "killed")
            await asyncio.sleep(self.pause_s)
            answers = [self._answer(one) for one in request.submissions]
            yield intake_pb2.SubmitDocumentsResponse(batch=request.batch, answers=answers)

    def _answer(self, one: intake_pb2.Submission) -> intake_pb2.SubmissionAnswer:
        self.heard.append(one)
        try:
            if self.refusal is not None:
                raise self.refusal
            strict_json.loads(one.request_json)
            return self._stored(one)
        except errors.PortolanError as error:
            return intake_pb2.SubmissionAnswer(problem=errors.to_problem(error))

    def _stored(self, one: intake_pb2.Submission) -> intake_pb2.SubmissionAnswer:
        fresh = one.request_json, encoded(a_document(f"d-{len(self.stored)}", body={"key": one.idempotency_key}))
        is_known = one.idempotency_key in self.stored
        request, document = self.stored.setdefault(one.idempotency_key, fresh)
        if request != one.request_json:
            raise errors.Invalid("IDEMPOTENCY_KEY_REUSED", "another body")
        document_id = msgspec.json.decode(document)["id"]
        return intake_pb2.SubmissionAnswer(
            document_json=document, document_id=document_id, etag='"1"', replayed=is_known
        )

    def _may_refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def SimulateDocument(self, request: Any, context: Any) -> Any:
        strict_json.loads(request.request_json)
        return intake_pb2.SimulateDocumentResponse(
            valid=True, type="paper.a", owner_organisation_id="org-a", facts_json=b"{}", pack_version="1"
        )

    async def GetDocument(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        self.deadlines.append(context.time_remaining())
        await asyncio.sleep(self.pause_s)
        return intake_pb2.GetDocumentResponse(document_json=encoded(a_document(request.id)), etag='"1"')

    async def ListDocuments(self, request: Any, context: Any) -> Any:
        found = [encoded(a_document(f"d-{number}")) for number in range(min(request.limit, 3))]
        return intake_pb2.ListDocumentsResponse(document_jsons=found, next_cursor=str(request.limit))

    async def WithdrawDocument(self, request: Any, context: Any) -> Any:
        self.withdrawn.append(request)
        if request.if_match != '"1"':
            raise errors.PreconditionFailed("PRECONDITION_FAILED")
        document = encoded(a_document(request.id, state="WITHDRAWN"))
        return intake_pb2.WithdrawDocumentResponse(document_json=document, etag='"2"')

    async def AmendDocument(self, request: Any, context: Any) -> Any:
        document = a_document(request.id) | {
            "amendment": {"version": 2, "state": "PROPOSED", "steps": ["bank"]},
            "diff": [{"pointer": "/total", "before": 1, "after": None}],
            "diff_left_off": 0,
        }
        return intake_pb2.AmendDocumentResponse(document_json=encoded(document), etag='"2"')

    async def CompleteStage(self, request: Any, context: Any) -> Any:
        document = a_document(request.id) | {
            "amendment": {"version": 2, "state": "PROPOSED", "steps": ["bank"]},
            "diff": [{"pointer": "/total", "before": 1, "after": None}],
            "diff_left_off": 0,
        }
        return intake_pb2.CompleteStageResponse(document_json=encoded(document), etag='"2"')

    async def ChangeBank(self, request: Any, context: Any) -> Any:
        amended = await self.AmendDocument(request, context)
        return intake_pb2.ChangeBankResponse(document_json=amended.document_json, etag=amended.etag, replayed=True)

    async def CancelDocument(self, request: Any, context: Any) -> Any:
        document = encoded(a_document(request.id, state="CANCELLED"))
        return intake_pb2.CancelDocumentResponse(document_json=document, etag='"2"', replayed=True)

    async def ProvideInformation(self, request: Any, context: Any) -> Any:
        self.replies.append(request)
        return intake_pb2.ProvideInformationResponse(document_json=encoded(a_document(request.id)), etag='"2"')

    async def ListConditions(self, request: Any, context: Any) -> Any:
        return intake_pb2.ListConditionsResponse(condition_jsons=[encoded(a_condition(request.id))])

    async def SatisfyCondition(self, request: Any, context: Any) -> Any:
        return intake_pb2.SatisfyConditionResponse(condition_json=encoded(a_condition(request.id)))

    async def GetTimeline(self, request: Any, context: Any) -> Any:
        shown = {"document_id": request.id, "reference": "r", "state": "REGISTERED"}
        shown |= {"due_at": None, "holder": None, "waiting": [], "items": []}
        return intake_pb2.GetTimelineResponse(timeline_json=encoded(shown))

    async def WaitTimeline(self, request: Any, context: Any) -> Any:
        """`timeline` is how many items there are; unless it `goes_on`, who asks for more may not see it any more."""
        self._may_refuse()
        if request.wait_ms and not self.goes_on and self.timeline <= request.after_seq:
            raise errors.NotFound("NOT_FOUND")
        until = asyncio.get_running_loop().time() + request.wait_ms / 1000
        while asyncio.get_running_loop().time() < until:
            if self.timeline > request.after_seq:
                break
            await asyncio.sleep(0.01)
        found = range(request.after_seq + 1, self.timeline + 1)
        items = [intake_pb2.TimelineItem(seq=seq, item_json=encoded({"seq": seq})) for seq in found]
        return intake_pb2.WaitTimelineResponse(items=items)

    async def GetReceipt(self, request: Any, context: Any) -> Any:
        return intake_pb2.GetReceiptResponse(receipt_json=encoded({"receipt": {}, "signature": {}, "body": {}}))

    async def ListAccesses(self, request: Any, context: Any) -> Any:
        shown = {"id": "a-1", "document_id": request.id, "actor": "p", "action": "get_document", "at": AT}
        entry = encoded({**shown, "organisation_id": "org-a", "agency": None})
        return intake_pb2.ListAccessesResponse(access_jsons=[entry], next_cursor=str(request.limit))

    async def GetProvenance(self, request: Any, context: Any) -> Any:
        shown = {"document_id": request.id, "reference": "A-1", "version": 1, "origins": [AN_ORIGIN]}
        return intake_pb2.GetProvenanceResponse(provenance_json=encoded(shown))

    async def PrefillDocument(self, request: Any, context: Any) -> Any:
        shown = {"type": request.type, "body": {"from": list(request.sources)}, "origins": [AN_ORIGIN]}
        return intake_pb2.PrefillDocumentResponse(prefilled_json=encoded(shown))

    async def GetGraph(self, request: Any, context: Any) -> Any:
        shown = {"document_id": request.id, "nodes": [a_node(request.id)], "edges": [], "left_off": False}
        return intake_pb2.GetGraphResponse(graph_json=encoded(shown))

    async def Search(self, request: Any, context: Any) -> Any:
        hit = {**a_node("d-1"), "matches": [{"kind": "reference", "key": request.query}]}
        return intake_pb2.SearchResponse(hit_jsons=[encoded(hit)], next_cursor=str(request.limit))

    async def TellDeclaration(self, request: Any, context: Any) -> Any:
        return intake_pb2.TellDeclarationResponse(event_json=encoded(a_told_event(request.number)), replayed=True)

    async def GetDeclaration(self, request: Any, context: Any) -> Any:
        told = a_told_event(request.number)
        shown = {name: told[name] for name in ("document_id", "reference", "document_state", "expected")}
        events = [{name: value for name, value in told.items() if name not in shown}]
        label = {"number": request.number, "state_label": None, "owner_organisation_id": None}
        content = {**shown, **label, "events": events, "imputations": [an_imputation("d-1")]}
        return intake_pb2.GetDeclarationResponse(declaration_json=encoded(content))

    async def ListDurations(self, request: Any, context: Any) -> Any:
        shown = {"type": "paper.a", "step": "s", "agency": "A", "median_seconds_90d": 60, "decided_90d": 9}
        return intake_pb2.ListDurationsResponse(duration_jsons=[encoded({**shown, "computed_at": AT})])

    async def NoteReadings(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        self.readings.append((request.action, list(request.document_ids)))
        return intake_pb2.NoteReadingsResponse()

    async def GetLedger(self, request: Any, context: Any) -> Any:
        figures = dict.fromkeys(("unit", "authorised", "reserved", "consumed", "released", "remaining"))
        shown = {"document_id": request.id, **figures, "lines": [], "entries": []}
        return intake_pb2.GetLedgerResponse(ledger_json=encoded(shown))

    async def ImputeTitle(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        return intake_pb2.ImputeTitleResponse(imputation_json=encoded(an_imputation(request.id)), replayed=True)

    async def CancelImputation(self, request: Any, context: Any) -> Any:
        shown = an_imputation(request.id, state="CANCELLED")
        return intake_pb2.CancelImputationResponse(imputation_json=encoded(shown))

    async def GetSettlement(self, request: Any, context: Any) -> Any:
        money = {"amount_minor": 1, "currency": "XXX"}
        figures = dict.fromkeys(("amount", "imputed", "advance_admitted", "paid", "remaining"), money)
        lists = {"payments": [a_payment(request.id)], "entries": []}
        shown = {"document_id": request.id, "direction": "out", **figures, **lists}
        return intake_pb2.GetSettlementResponse(settlement_json=encoded(shown))

    async def RecordPayment(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        return intake_pb2.RecordPaymentResponse(payment_json=encoded(a_payment(request.id)), replayed=True)

    async def CancelPayment(self, request: Any, context: Any) -> Any:
        shown = a_payment(request.id, state="CANCELLED")
        return intake_pb2.CancelPaymentResponse(payment_json=encoded(shown))

    async def ClearTitle(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        shown = encoded(a_document(request.id))
        return intake_pb2.ClearTitleResponse(document_json=shown, etag='"3"', replayed=True)

    async def StoreAttachment(self, requests: Any, context: Any) -> Any:
        content, is_whole = bytearray(), False
        async for request in requests:
            self.pieces += 1
            content += request.chunk
            is_whole = request.is_last
        self._may_refuse()
        if not is_whole:
            raise errors.Malformed("MALFORMED")
        self.attachments[sha256 := hashlib.sha256(content).hexdigest()] = bytes(content)
        shown = {"sha256": sha256, "media_type": "application/pdf", "size_bytes": len(content), "state": "CLEAN"}
        return intake_pb2.StoreAttachmentResponse(attachment_json=encoded({**shown, "stored_at": AT}))

    async def ReadAttachment(self, request: Any, context: Any) -> AsyncGenerator[Any, None]:
        self._may_refuse()
        content = self.attachments.get(request.sha256, b"%PDF-")
        yield intake_pb2.ReadAttachmentResponse(media_type="application/pdf", size_bytes=len(content))
        for start in range(0, len(content), 100_000):
            yield intake_pb2.ReadAttachmentResponse(chunk=content[start : start + 100_000])

    async def CreateDraft(self, request: Any, context: Any) -> Any:
        shown = encoded(a_draft("d-1", body=msgspec.json.decode(request.request_json).get("body", {})))
        return intake_pb2.CreateDraftResponse(draft_json=shown, draft_id="d-1", etag='"1"')

    async def GetDraft(self, request: Any, context: Any) -> Any:
        self._may_refuse()
        return intake_pb2.GetDraftResponse(draft_json=encoded(a_draft(request.id)), etag='"1"')

    async def ListDrafts(self, request: Any, context: Any) -> Any:
        return intake_pb2.ListDraftsResponse(
            draft_jsons=[encoded(a_draft_summary("d-1"))], next_cursor=str(request.limit)
        )

    async def ChangeDraft(self, request: Any, context: Any) -> Any:
        if request.if_match != '"1"':
            raise errors.PreconditionFailed("PRECONDITION_FAILED")
        draft = a_draft(request.id, label="merged" if request.merge else "replaced")
        return intake_pb2.ChangeDraftResponse(draft_json=encoded(draft), etag='"2"')

    async def DeleteDraft(self, request: Any, context: Any) -> Any:
        return intake_pb2.DeleteDraftResponse()

    async def SubmitDraft(self, request: Any, context: Any) -> Any:
        document = encoded(a_document("d-9", body={"key": request.idempotency_key}))
        return intake_pb2.SubmitDraftResponse(document_json=document, document_id="d-9", etag='"1"', replayed=True)

    async def CopyDocument(self, request: Any, context: Any) -> Any:
        source = {"document_id": request.id, "reference": "r", "draft_id": None}
        shown = encoded(a_draft("d-2", label=request.copying.label, copied_from=source))
        return intake_pb2.CopyDocumentResponse(draft_json=shown, draft_id="d-2", etag='"1"')

    async def CopyDraft(self, request: Any, context: Any) -> Any:
        source = {"document_id": None, "reference": None, "draft_id": request.id}
        shown = encoded(a_draft("d-2", template=request.copying.template, copied_from=source))
        return intake_pb2.CopyDraftResponse(draft_json=shown, draft_id="d-2", etag='"1"')

    async def AskProcedure(self, request: Any, context: Any) -> Any:
        asked = intake_pb2.AskedDocument(type="paper.a", labels={"en": "Paper"}, facts_json=b'{"origin":"FR"}')
        return intake_pb2.AskProcedureResponse(documents=[asked], pack_version="1")

    async def ListDocumentTypes(self, request: Any, context: Any) -> Any:
        return intake_pb2.ListDocumentTypesResponse(document_type_jsons=[encoded(DOCUMENT_TYPE)])

    async def GetDocumentType(self, request: Any, context: Any) -> Any:
        if request.type != DOCUMENT_TYPE["type"]:
            raise errors.NotFound("NOT_FOUND")
        return intake_pb2.GetDocumentTypeResponse(document_type_json=encoded(DOCUMENT_TYPE))

    async def GetDataDictionary(self, request: Any, context: Any) -> Any:
        shown = {"pack_version": "1", "elements": [], "fields": []}
        return intake_pb2.GetDataDictionaryResponse(dictionary_json=encoded(shown))

    async def ListReferenceCodes(self, request: Any, context: Any) -> Any:
        codes = [encoded({"code": "KGM", "labels": {"en": "kilogram"}})]
        return intake_pb2.ListReferenceCodesResponse(code_jsons=codes, version="1")

    async def ListReceiptKeys(self, request: Any, context: Any) -> Any:
        return intake_pb2.ListReceiptKeysResponse(jwk_jsons=['{"kty":"OKP"}'])
