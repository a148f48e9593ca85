"""Message → action → message."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from kit.auth import caller
from kit.database import Database
from kit.errors import PortolanError
from kit.grpc import ANYONE, SIGNED_IN, remaining_s
from portolan.intake.v1 import intake_pb2 as pb
from portolan.intake.v1 import intake_pb2_grpc
from portolan.type.v1 import type_pb2

from intake.actions import (
    accessing,
    asking,
    cancelling,
    carrying,
    catalogue,
    clearing,
    conditions,
    following,
    imputing,
    informing,
    keys,
    measuring,
    reading,
    settling,
    tracking,
    withdrawing,
)
from intake.actions.accessing import AccessLog
from intake.actions.acts import Act
from intake.actions.amending import AmendmentDesk
from intake.actions.attaching import Attachments
from intake.actions.completing import StageDesk
from intake.actions.conditions import Evidence
from intake.actions.declaring import DeclarationDesk
from intake.actions.directory import Directory
from intake.actions.following import TimelineWatch
from intake.actions.informing import Reply
from intake.actions.reading import Seen
from intake.actions.submitting import FILERS, SubmissionDesk
from intake.api import stream
from intake.api.drafts import DraftApi, Drafts
from intake.domain import representation
from intake.domain import tracking as shapes
from intake.domain.information import Answer
from intake.domain.rulebook import Rulebooks
from intake.store.documents import Filter

CUSTOMS = frozenset({"customs_officer"})
BANKS = frozenset({"bank_officer"})
DECLARANTS = frozenset(FILERS)
OFFICERS = frozenset({"agency_officer", "bank_officer", "customs_officer"})
# Of a waiting call's time, what is kept for answering it.
ANSWER_S = 0.5

AUTHORITY = {
    # A stream outlives any token: every submission carries its own, verified with it.
    "SubmitDocuments": ANYONE,
    "SimulateDocument": DECLARANTS,
    "AskProcedure": SIGNED_IN,
    "GetDocument": SIGNED_IN,
    "ListDocuments": SIGNED_IN,
    "WithdrawDocument": DECLARANTS,
    "AmendDocument": DECLARANTS,
    "CompleteStage": DECLARANTS,
    "ChangeBank": DECLARANTS,
    "CancelDocument": DECLARANTS,
    "ProvideInformation": DECLARANTS,
    "ListConditions": SIGNED_IN,
    "SatisfyCondition": DECLARANTS,
    "GetTimeline": SIGNED_IN,
    "WaitTimeline": SIGNED_IN,
    "GetReceipt": SIGNED_IN,
    "ListAccesses": SIGNED_IN,
    "GetGraph": SIGNED_IN,
    "GetProvenance": SIGNED_IN,
    "PrefillDocument": DECLARANTS,
    "Search": SIGNED_IN,
    "GetLedger": SIGNED_IN,
    "ImputeTitle": CUSTOMS,
    "CancelImputation": CUSTOMS,
    "GetSettlement": SIGNED_IN,
    "RecordPayment": BANKS,
    "CancelPayment": BANKS,
    "ClearTitle": BANKS,
    "StoreAttachment": DECLARANTS | OFFICERS,
    "ReadAttachment": SIGNED_IN,
    "TellDeclaration": CUSTOMS,
    "GetDeclaration": SIGNED_IN,
    "CreateDraft": DECLARANTS,
    "GetDraft": DECLARANTS,
    "ListDrafts": DECLARANTS,
    "ChangeDraft": DECLARANTS,
    "DeleteDraft": DECLARANTS,
    "SubmitDraft": DECLARANTS,
    "CopyDocument": DECLARANTS,
    "CopyDraft": DECLARANTS,
    "ListDurations": ANYONE,
    "NoteReadings": OFFICERS | {"operator_admin"},
    "ListDocumentTypes": ANYONE,
    "GetDocumentType": ANYONE,
    "GetDataDictionary": ANYONE,
    "ListReferenceCodes": ANYONE,
    "ListReceiptKeys": ANYONE,
}


class IntakeApi(DraftApi, intake_pb2_grpc.IntakeServiceServicer):
    def __init__(
        self,
        db: Database,
        rulebooks: Rulebooks,
        directory: Directory,
        desk: SubmissionDesk,
        amendments: AmendmentDesk,
        declarations: DeclarationDesk,
        stages: StageDesk,
        watch: TimelineWatch,
        attachments: Attachments,
        accesses: AccessLog,
        drafts: Drafts,
    ) -> None:
        DraftApi.__init__(self, drafts)
        self._db = db
        self._rulebooks = rulebooks
        self._directory = directory
        self._desk = desk
        self._amendments = amendments
        self._declarations = declarations
        self._stages = stages
        self._watch = watch
        self._attachments = attachments
        self._accesses = accesses

    def SubmitDocuments(self, request_iterator: stream.Requests, context: Any) -> stream.Responses:
        return stream.answer_all(self._desk, request_iterator)

    async def SimulateDocument(self, request: pb.SimulateDocumentRequest, context: Any) -> pb.SimulateDocumentResponse:
        judged = await self._desk.simulate(caller(), request.request_json)
        return pb.SimulateDocumentResponse(
            valid=not judged.errors,
            errors=[type_pb2.Violation(pointer=v.pointer, code=v.code, message=v.message) for v in judged.errors],
            type=judged.document_type,
            owner_organisation_id=judged.owner_organisation_id,
            facts_json=judged.facts_json,
            pack_version=judged.pack_version,
            readiness=[
                pb.Requirement(
                    id=one.id,
                    pointer=one.pointer,
                    weight=one.weight,
                    met=one.is_met,
                    label=one.label,
                    missing=one.missing,
                )
                for one in judged.readiness
            ],
            rule_table=judged.rule_table,
        )

    async def AskProcedure(self, request: pb.AskProcedureRequest, context: Any) -> pb.AskProcedureResponse:
        answer = asking.ask(self._rulebooks, request.question_json, caller().language)
        documents = [
            pb.AskedDocument(type=one.type, labels=one.labels, facts_json=one.facts_json) for one in answer.documents
        ]
        return pb.AskProcedureResponse(
            documents=documents, pack_version=answer.pack_version, rule_table=answer.rule_table
        )

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Any) -> pb.GetDocumentResponse:
        shown = await reading.document(self._db, self._rulebooks, caller(), request.id, self._seen("get_document"))
        return pb.GetDocumentResponse(document_json=shown.document_json, etag=shown.etag)

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Any) -> pb.ListDocumentsResponse:
        asked = Filter(request.type, request.state, request.query)
        found, following = await reading.page(
            self._db, self._rulebooks, caller(), asked, request.cursor, request.limit, self._seen("list_documents")
        )
        return pb.ListDocumentsResponse(document_jsons=found, next_cursor=following)

    async def WithdrawDocument(self, request: pb.WithdrawDocumentRequest, context: Any) -> pb.WithdrawDocumentResponse:
        shown = await withdrawing.withdraw(
            self._db, self._rulebooks, self._directory, caller(), request.id, request.if_match, request.reason
        )
        return pb.WithdrawDocumentResponse(document_json=shown.document_json, etag=shown.etag)

    async def AmendDocument(self, request: pb.AmendDocumentRequest, context: Any) -> pb.AmendDocumentResponse:
        act = Act("amend", caller(), request.id, request.if_match, request.idempotency_key, request.request_json)
        acted = await self._amendments.amend(act)
        return pb.AmendDocumentResponse(document_json=acted.document_json, etag=acted.etag, replayed=acted.replayed)

    async def CompleteStage(self, request: pb.CompleteStageRequest, context: Any) -> pb.CompleteStageResponse:
        name = f"complete:{request.stage}"
        act = Act(name, caller(), request.id, request.if_match, request.idempotency_key, request.request_json)
        acted = await self._stages.complete(act, request.stage)
        return pb.CompleteStageResponse(document_json=acted.document_json, etag=acted.etag, replayed=acted.replayed)

    async def ChangeBank(self, request: pb.ChangeBankRequest, context: Any) -> pb.ChangeBankResponse:
        act = Act("change_bank", caller(), request.id, request.if_match, request.idempotency_key, request.request_json)
        acted = await self._amendments.change_bank(act)
        return pb.ChangeBankResponse(document_json=acted.document_json, etag=acted.etag, replayed=acted.replayed)

    async def CancelDocument(self, request: pb.CancelDocumentRequest, context: Any) -> pb.CancelDocumentResponse:
        reason = request.reason
        act = Act("cancel", caller(), request.id, request.if_match, request.idempotency_key, reason.encode())
        acted = await cancelling.cancel(self._db, self._rulebooks, self._directory, act, reason)
        return pb.CancelDocumentResponse(document_json=acted.document_json, etag=acted.etag, replayed=acted.replayed)

    async def ProvideInformation(
        self, request: pb.ProvideInformationRequest, context: Any
    ) -> pb.ProvideInformationResponse:
        answers = [Answer(one.question, one.answer) for one in request.answers]
        reply = Reply(request.information_request_id, answers, request.if_match)
        shown = await informing.provide(self._db, self._rulebooks, self._directory, caller(), request.id, reply)
        return pb.ProvideInformationResponse(document_json=shown.document_json, etag=shown.etag)

    async def ListConditions(self, request: pb.ListConditionsRequest, context: Any) -> pb.ListConditionsResponse:
        seen = self._seen("list_conditions")
        found = await conditions.listed(self._db, self._rulebooks, caller(), request.id, seen)
        return pb.ListConditionsResponse(condition_jsons=found)

    async def SatisfyCondition(self, request: pb.SatisfyConditionRequest, context: Any) -> pb.SatisfyConditionResponse:
        given = Evidence(request.condition_id, request.attachment, request.remarks)
        met = await conditions.satisfy(self._db, self._rulebooks, self._directory, caller(), request.id, given)
        return pb.SatisfyConditionResponse(condition_json=met)

    async def GetTimeline(self, request: pb.GetTimelineRequest, context: Any) -> pb.GetTimelineResponse:
        return pb.GetTimelineResponse(
            timeline_json=await reading.timeline(self._db, caller(), request.id, self._seen("get_timeline"))
        )

    async def WaitTimeline(self, request: pb.WaitTimelineRequest, context: Any) -> pb.WaitTimelineResponse:
        wait_s = min(request.wait_ms / 1000, remaining_s(following.WAIT_S_MAX) - ANSWER_S)
        found = await following.follow(
            self._db, self._watch, caller(), request.id, request.after_seq, wait_s, self._seen("follow_timeline")
        )
        return pb.WaitTimelineResponse(items=[pb.TimelineItem(seq=seq, item_json=item) for seq, item in found])

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Any) -> pb.GetReceiptResponse:
        return pb.GetReceiptResponse(
            receipt_json=await reading.receipt(
                self._db, caller(), request.id, self._seen("get_receipt"), request.version
            )
        )

    async def ListAccesses(self, request: pb.ListAccessesRequest, context: Any) -> pb.ListAccessesResponse:
        found, following = await accessing.page(
            self._db, self._accesses, caller(), request.id, request.cursor, request.limit
        )
        return pb.ListAccessesResponse(access_jsons=found, next_cursor=following)

    async def GetProvenance(self, request: pb.GetProvenanceRequest, context: Any) -> pb.GetProvenanceResponse:
        found = await carrying.origins(self._db, caller(), request.id, self._seen("get_provenance"))
        return pb.GetProvenanceResponse(provenance_json=found)

    async def PrefillDocument(self, request: pb.PrefillDocumentRequest, context: Any) -> pb.PrefillDocumentResponse:
        asked = (request.type, list(request.sources), self._seen("prefill_document"))
        filled = await carrying.prefill(self._db, self._rulebooks, caller(), *asked)
        return pb.PrefillDocumentResponse(prefilled_json=filled)

    async def GetGraph(self, request: pb.GetGraphRequest, context: Any) -> pb.GetGraphResponse:
        asked = (request.id, request.depth)
        return pb.GetGraphResponse(
            graph_json=await tracking.graph(self._db, self._rulebooks, caller(), *asked, self._seen("get_graph"))
        )

    async def Search(self, request: pb.SearchRequest, context: Any) -> pb.SearchResponse:
        asked = (request.query, request.cursor, request.limit)
        hits, following, left_off = await tracking.search(
            self._db, self._rulebooks, caller(), *asked, self._seen("search_documents")
        )
        return pb.SearchResponse(hit_jsons=hits, next_cursor=following, left_off=left_off)

    async def GetLedger(self, request: pb.GetLedgerRequest, context: Any) -> pb.GetLedgerResponse:
        return pb.GetLedgerResponse(
            ledger_json=await reading.ledger(self._db, caller(), request.id, self._seen("get_ledger"))
        )

    async def ImputeTitle(self, request: pb.ImputeTitleRequest, context: Any) -> pb.ImputeTitleResponse:
        imputed = await imputing.impute(self._db, self._rulebooks, caller(), request.id, request.request_json)
        return pb.ImputeTitleResponse(imputation_json=imputed.imputation_json, replayed=imputed.replayed)

    async def CancelImputation(self, request: pb.CancelImputationRequest, context: Any) -> pb.CancelImputationResponse:
        cancelled = await imputing.cancel(
            self._db, self._rulebooks, caller(), request.id, request.imputation_id, request.reason
        )
        return pb.CancelImputationResponse(imputation_json=cancelled)

    async def TellDeclaration(self, request: pb.TellDeclarationRequest, context: Any) -> pb.TellDeclarationResponse:
        event, replayed = await self._declarations.tell(caller(), request.number, request.request_json)
        return pb.TellDeclarationResponse(event_json=event, replayed=replayed)

    async def GetDeclaration(self, request: pb.GetDeclarationRequest, context: Any) -> pb.GetDeclarationResponse:
        shown = await self._declarations.declaration(caller(), request.number, self._seen("get_declaration"))
        return pb.GetDeclarationResponse(declaration_json=shown)

    async def GetSettlement(self, request: pb.GetSettlementRequest, context: Any) -> pb.GetSettlementResponse:
        seen = self._seen("get_settlement")
        return pb.GetSettlementResponse(
            settlement_json=await settling.show(self._db, self._rulebooks, caller(), request.id, seen)
        )

    async def RecordPayment(self, request: pb.RecordPaymentRequest, context: Any) -> pb.RecordPaymentResponse:
        paid = await settling.pay(self._db, self._rulebooks, caller(), request.id, request.request_json)
        return pb.RecordPaymentResponse(payment_json=paid.payment_json, replayed=paid.replayed)

    async def CancelPayment(self, request: pb.CancelPaymentRequest, context: Any) -> pb.CancelPaymentResponse:
        cancelled = await settling.cancel(
            self._db, self._rulebooks, caller(), request.id, request.payment_id, request.reason
        )
        return pb.CancelPaymentResponse(payment_json=cancelled)

    async def ClearTitle(self, request: pb.ClearTitleRequest, context: Any) -> pb.ClearTitleResponse:
        remarks = request.remarks
        act = Act("clear", caller(), request.id, request.if_match, request.idempotency_key, remarks.encode())
        acted = await clearing.clear(self._db, self._rulebooks, act, remarks)
        return pb.ClearTitleResponse(document_json=acted.document_json, etag=acted.etag, replayed=acted.replayed)

    async def StoreAttachment(
        self, request_iterator: AsyncIterator[pb.StoreAttachmentRequest], context: Any
    ) -> pb.StoreAttachmentResponse:
        try:
            stored = await self._attachments.store(caller(), stream.whole(request_iterator))
        except PortolanError:
            await stream.heard_out(request_iterator)
            raise
        return pb.StoreAttachmentResponse(attachment_json=representation.attachment_json(stored))

    async def ReadAttachment(
        self, request: pb.ReadAttachmentRequest, context: Any
    ) -> AsyncGenerator[pb.ReadAttachmentResponse, None]:
        found, chunks = await self._attachments.read(caller(), request.sha256, self._seen("get_attachment"))
        async with contextlib.aclosing(chunks):
            yield pb.ReadAttachmentResponse(media_type=found.media_type, size_bytes=found.size_bytes)
            async for chunk in chunks:
                yield pb.ReadAttachmentResponse(chunk=chunk)

    async def ListDurations(self, request: pb.ListDurationsRequest, context: Any) -> pb.ListDurationsResponse:
        found = await measuring.shown(self._db)
        return pb.ListDurationsResponse(duration_jsons=map(shapes.duration_json, found))

    async def NoteReadings(self, request: pb.NoteReadingsRequest, context: Any) -> pb.NoteReadingsResponse:
        await accessing.note_readings(self._db, self._accesses, caller(), request.action, request.document_ids)
        return pb.NoteReadingsResponse()

    async def ListDocumentTypes(
        self, request: pb.ListDocumentTypesRequest, context: Any
    ) -> pb.ListDocumentTypesResponse:
        return pb.ListDocumentTypesResponse(document_type_jsons=catalogue.document_types(self._rulebooks))

    async def GetDocumentType(self, request: pb.GetDocumentTypeRequest, context: Any) -> pb.GetDocumentTypeResponse:
        found = catalogue.document_type(self._rulebooks, request.type)
        return pb.GetDocumentTypeResponse(document_type_json=found)

    async def GetDataDictionary(
        self, request: pb.GetDataDictionaryRequest, context: Any
    ) -> pb.GetDataDictionaryResponse:
        return pb.GetDataDictionaryResponse(dictionary_json=catalogue.data_dictionary(self._rulebooks))

    async def ListReferenceCodes(
        self, request: pb.ListReferenceCodesRequest, context: Any
    ) -> pb.ListReferenceCodesResponse:
        found, following, version = catalogue.codes(
            self._rulebooks, request.list, request.query, request.cursor, request.limit
        )
        return pb.ListReferenceCodesResponse(code_jsons=found, next_cursor=following, version=version)

    async def ListReceiptKeys(self, request: pb.ListReceiptKeysRequest, context: Any) -> pb.ListReceiptKeysResponse:
        return pb.ListReceiptKeysResponse(jwk_jsons=await keys.public_keys(self._db))

    def _seen(self, action: str) -> Seen:
        return self._accesses.seen(caller(), action)
