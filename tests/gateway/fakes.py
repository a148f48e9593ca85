"""The services behind the gateway, written by hand: real gRPC servers that answer what a test tells them to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc import StatusCode
from kit import errors, grpc, strict_json
from kit.auth import TokenVerifier
from kit.grpc import ANYONE, Server
from kit.testing import TokenMint
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc
from portolan.intake.v1 import intake_pb2, intake_pb2_grpc
from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from portolan.routing.v1 import routing_pb2, routing_pb2_grpc

from tests.gateway.builders import (
    AN_ORIGIN,
    AT,
    DOCUMENT_TYPE,
    STAMP,
    a_charge,
    a_document,
    a_draft,
    a_draft_summary,
    a_node,
    a_payment,
    a_rule_table,
    a_task,
    a_told_event,
    a_visit,
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


def an_invitation(invitation_id: str) -> identity_pb2.Invitation:
    return identity_pb2.Invitation(id=invitation_id, invited_at=STAMP, expires_at=STAMP, state="OPEN")


class FakeIdentity(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(self, mint: TokenMint) -> None:
        self._mint = mint
        self.forget()

    def forget(self) -> None:
        self.request_ids: list[str] = []

    async def IssueToken(self, request: Any, context: Any) -> Any:
        if request.client_secret != "right":
            raise errors.Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret")
        return identity_pb2.IssueTokenResponse(access_token="t", expires_in_seconds=300, scope="declarant")

    async def SignIn(self, request: Any, context: Any) -> Any:
        if request.password != "right":
            raise errors.Unauthenticated("UNAUTHENTICATED", "unknown address, or wrong password")
        return identity_pb2.SignInResponse(access_token="t", expires_in_seconds=300, scope="")

    async def ListSigningKeys(self, request: Any, context: Any) -> Any:
        keys = await self._mint.keys()
        shown = [identity_pb2.SigningKey(key_id=name, jwk_json=jwk) for name, jwk in keys.items()]
        return identity_pb2.ListSigningKeysResponse(keys=shown, issuer="test")

    async def ListRevocations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListRevocationsResponse()

    async def RotateSigningKey(self, request: Any, context: Any) -> Any:
        return identity_pb2.RotateSigningKeyResponse(key_id="next")

    async def SignUp(self, request: Any, context: Any) -> Any:
        return identity_pb2.SignUpResponse()

    async def CheckCompanyNumber(self, request: Any, context: Any) -> Any:
        return identity_pb2.CheckCompanyNumberResponse(valid=True, number=request.number)

    async def RegisterOrganisation(self, request: Any, context: Any) -> Any:
        self.request_ids.append(request.request_id)
        request.organisation.id = "org-new"
        return identity_pb2.RegisterOrganisationResponse(organisation=request.organisation)

    async def GetOrganisation(self, request: Any, context: Any) -> Any:
        return identity_pb2.GetOrganisationResponse(organisation=identity_pb2.Organisation(id=request.id))

    async def FindTraders(self, request: Any, context: Any) -> Any:
        return identity_pb2.FindTradersResponse()

    async def ListOrganisations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListOrganisationsResponse(organisations=[identity_pb2.Organisation(id="org-a")])

    async def RegisterUser(self, request: Any, context: Any) -> Any:
        request.user.id = "u-1"
        return identity_pb2.RegisterUserResponse(user=request.user)

    async def ListUsers(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListUsersResponse(users=[identity_pb2.User(id="u-1")])

    async def DismissUser(self, request: Any, context: Any) -> Any:
        return identity_pb2.DismissUserResponse(user=identity_pb2.User(id=request.user_id, dismissed_at=STAMP))

    async def ChangeUserRoles(self, request: Any, context: Any) -> Any:
        return identity_pb2.ChangeUserRolesResponse(user=identity_pb2.User(id=request.user_id, roles=request.roles))

    async def InviteUser(self, request: Any, context: Any) -> Any:
        return identity_pb2.InviteUserResponse(invitation=an_invitation("i-1"))

    async def ListInvitations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListInvitationsResponse(invitations=[an_invitation("i-1")])

    async def RevokeInvitation(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeInvitationResponse(invitation=an_invitation(request.id))

    async def AcceptInvitation(self, request: Any, context: Any) -> Any:
        return identity_pb2.AcceptInvitationResponse(user=identity_pb2.User(id="u-1"))

    async def ConfirmClient(self, request: Any, context: Any) -> Any:
        return identity_pb2.ConfirmClientResponse(client=identity_pb2.Client(id=request.id, confirmed_at=STAMP))

    async def RegisterClient(self, request: Any, context: Any) -> Any:
        request.client.id = "c-1"
        return identity_pb2.RegisterClientResponse(client=request.client, client_secret="shown once")

    async def ListClients(self, request: Any, context: Any) -> Any:
        """Two pages, so that whoever looks for one must turn one."""
        name, following = ("c-1", "2") if not request.cursor else ("c-2", "")
        client = identity_pb2.Client(id=name, organisation_id=request.organisation_id)
        return identity_pb2.ListClientsResponse(clients=[client], next_cursor=following)

    async def RevokeClient(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeClientResponse(client=identity_pb2.Client(id=request.id, revoked_at=STAMP))

    async def GrantMandate(self, request: Any, context: Any) -> Any:
        request.mandate.id = "m-1"
        return identity_pb2.GrantMandateResponse(mandate=request.mandate)

    async def RevokeMandate(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeMandateResponse(mandate=identity_pb2.Mandate(id=request.id, revoked_at=STAMP))

    async def ListMandates(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListMandatesResponse(mandates=[identity_pb2.Mandate(id="m-1")])

    async def CheckMandate(self, request: Any, context: Any) -> Any:
        return identity_pb2.CheckMandateResponse()

    async def ListRecipients(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListRecipientsResponse()


def an_absence(absence_id: str) -> routing_pb2.Absence:
    return routing_pb2.Absence(id=absence_id, starts_at=STAMP, ends_at=STAMP, created_at=STAMP)


class FakeRouting(routing_pb2_grpc.RoutingServiceServicer):
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.decisions: list[routing_pb2.DecideTaskRequest] = []
        self.inquiries: list[routing_pb2.RequestInformationRequest] = []
        self.proposals: list[routing_pb2.ProposeVisitRequest] = []

    async def ProposeVisit(self, request: Any, context: Any) -> Any:
        self.proposals.append(request)
        return routing_pb2.ProposeVisitResponse(visit=a_visit("v-1"))

    async def ListVisits(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListVisitsResponse(visits=[a_visit("v-1")])

    async def ConfirmVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.ConfirmVisitResponse(visit=a_visit(request.id))

    async def DeclineVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.DeclineVisitResponse(visit=a_visit(request.id))

    async def ReportNoShow(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReportNoShowResponse(visit=a_visit(request.id))

    async def RecordVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.RecordVisitResponse(visit=a_visit(request.id))

    async def ListNoShows(self, request: Any, context: Any) -> Any:
        absence = routing_pb2.NoShow(id="n-1", party="operator", told_at=STAMP, starts_at=STAMP, ends_at=STAMP)
        return routing_pb2.ListNoShowsResponse(no_shows=[absence])

    async def PlanRoutes(self, request: Any, context: Any) -> Any:
        route = routing_pb2.Route(agency="X", document="paper", mode="documentary", sla_seconds=60, rule="R1")
        return routing_pb2.PlanRoutesResponse(routes=[route], due_at=STAMP, channel_hint="green")

    async def GetRouting(self, request: Any, context: Any) -> Any:
        rule = routing_pb2.MatchedRule(id="R1", labels={"en": "Rule"}, agency="X", document="paper", mode="documentary")
        weighed = routing_pb2.RiskWeighed(
            score=12,
            factors=[routing_pb2.RiskFactor(code="chapter:64", points=12, labels={"en": "Chapter"})],
            draws=[routing_pb2.RiskDraw(rule="R2", seed="1/R2/d", value=0.5, share="0.03")],
            facts_json=b'{"origin":"FR"}',
            history_json=b"{}",
            reproduced=True,
        )
        return routing_pb2.GetRoutingResponse(
            document_id=request.document_id, channel="green", rules=[rule], judged_at=STAMP, weighed=weighed
        )

    async def ProposeRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.ProposeRulesResponse(table_json=encoded(a_rule_table("rt-1")))

    async def RollBackRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.RollBackRulesResponse(table_json=encoded(a_rule_table("rt-2")))

    async def ReplayRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReplayRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def PublishRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.PublishRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def WithdrawRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.WithdrawRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def GetRuleTable(self, request: Any, context: Any) -> Any:
        return routing_pb2.GetRuleTableResponse(table_json=encoded(a_rule_table(request.id)))

    async def ListRuleTables(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListRuleTablesResponse(table_jsons=[encoded(a_rule_table("rt-1"))])

    async def ListReplayedDocuments(self, request: Any, context: Any) -> Any:
        outlook = {"rules": ["R1"], "channel": "green", "tasks": ["X"]}
        told = {"document_id": "d", "reference": "PX-1", "document_type": "paper.a"}
        return routing_pb2.ListReplayedDocumentsResponse(
            document_jsons=[encoded({**told, "before": outlook, "after": outlook})]
        )

    async def ListTasks(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListTasksResponse(tasks=[a_task("t-1")])

    async def GetTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.GetTaskResponse(task=a_task(request.id))

    async def ClaimTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.ClaimTaskResponse(task=a_task(request.id))

    async def ReleaseTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReleaseTaskResponse(task=a_task(request.id))

    async def DecideTask(self, request: Any, context: Any) -> Any:
        self.decisions.append(request)
        return routing_pb2.DecideTaskResponse(task=a_task(request.id))

    async def AssignTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.AssignTaskResponse(task=a_task(request.id))

    async def CreateAbsence(self, request: Any, context: Any) -> Any:
        return routing_pb2.CreateAbsenceResponse(absence=an_absence("a-1"))

    async def ListAbsences(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListAbsencesResponse(absences=[an_absence("a-1")])

    async def EndAbsence(self, request: Any, context: Any) -> Any:
        return routing_pb2.EndAbsenceResponse(absence=an_absence(request.id))

    async def RequestInformation(self, request: Any, context: Any) -> Any:
        self.inquiries.append(request)
        task = a_task(request.id)
        task.state = "WAITING"
        task.information.CopyFrom(
            routing_pb2.Information(id="i-1", state="OPEN", questions=request.questions, requested_at=STAMP)
        )
        return routing_pb2.RequestInformationResponse(task=task)


class FakeBilling(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.is_down = False

    async def QuoteCharges(self, request: Any, context: Any) -> Any:
        if self.is_down:
            raise errors.Unavailable("OVERLOADED")
        return billing_pb2.QuoteChargesResponse(charges=[a_charge()])

    async def ListCharges(self, request: Any, context: Any) -> Any:
        return billing_pb2.ListChargesResponse(charges=[a_charge()])

    async def GetStatement(self, request: Any, context: Any) -> Any:
        return billing_pb2.GetStatementResponse(organisation_id="org-a")

    async def CheckLedger(self, request: Any, context: Any) -> Any:
        return billing_pb2.CheckLedgerResponse(journals=1, entries=2)


class FakeNotifications(notifications_pb2_grpc.NotificationsServiceServicer):
    def forget(self) -> None:
        pass

    async def ListNotifications(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.Notification(id="n-1", state="SENT", created_at=STAMP)
        return notifications_pb2.ListNotificationsResponse(notifications=[shown])

    async def MarkNotificationRead(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.Notification(id=request.id, state="SENT", created_at=STAMP, read_at=STAMP)
        return notifications_pb2.MarkNotificationReadResponse(notification=shown)

    async def GetNotificationPreferences(self, request: Any, context: Any) -> Any:
        channels = [notifications_pb2.PreferenceChannel(channel="email", muted=True)]
        rule = notifications_pb2.PreferenceRule(rule="N1", event="e", template="t", channels=channels)
        shown = notifications_pb2.NotificationPreferences(rules=[rule], timezone="UTC")
        return notifications_pb2.GetNotificationPreferencesResponse(preferences=shown)

    async def PutNotificationPreferences(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.NotificationPreferences(
            quiet_begins=request.quiet_begins,
            quiet_ends=request.quiet_ends,
            digest_at=request.digest_at,
            timezone="UTC",
        )
        return notifications_pb2.PutNotificationPreferencesResponse(preferences=shown)

    async def CreateWebhookEndpoint(self, request: Any, context: Any) -> Any:
        shown = an_endpoint("w-1", url=request.url, signature=request.signature)
        return notifications_pb2.CreateWebhookEndpointResponse(endpoint=shown)

    async def ListWebhookEndpoints(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ListWebhookEndpointsResponse(endpoints=[an_endpoint("w-1")])

    async def GetWebhookEndpoint(self, request: Any, context: Any) -> Any:
        return notifications_pb2.GetWebhookEndpointResponse(endpoint=an_endpoint(request.id))

    async def DisableWebhookEndpoint(self, request: Any, context: Any) -> Any:
        shown = an_endpoint(request.id, state="DISABLED", disabled_reason="BY_OWNER", disabled_at=STAMP)
        return notifications_pb2.DisableWebhookEndpointResponse(endpoint=shown)

    async def EnableWebhookEndpoint(self, request: Any, context: Any) -> Any:
        return notifications_pb2.EnableWebhookEndpointResponse(endpoint=an_endpoint(request.id))

    async def RotateWebhookSecret(self, request: Any, context: Any) -> Any:
        return notifications_pb2.RotateWebhookSecretResponse(endpoint=an_endpoint(request.id))

    async def ReplayWebhooks(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ReplayWebhooksResponse(replayed=1, through_sequence=2, last_sequence=2)

    async def SendTestWebhook(self, request: Any, context: Any) -> Any:
        return notifications_pb2.SendTestWebhookResponse(delivery=a_delivery())

    async def ListWebhookDeliveries(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ListWebhookDeliveriesResponse(deliveries=[a_delivery()])


def an_endpoint(endpoint_id: str, **more: Any) -> notifications_pb2.WebhookEndpoint:
    key = notifications_pb2.WebhookKey(id="k-1", public_key="whpk_AAAA", created_at=STAMP)
    usual = {"url": "https://a.example/", "signature": "ed25519", "state": "ENABLED"}
    return notifications_pb2.WebhookEndpoint(id=endpoint_id, created_at=STAMP, keys=[key], **{**usual, **more})


def a_delivery() -> notifications_pb2.WebhookDelivery:
    return notifications_pb2.WebhookDelivery(
        id="m-1", type="webhook.test", body="{}", state="PENDING", due_at=STAMP, created_at=STAMP
    )


_DESCRIPTORS: Mapping[str, tuple[Any, Any]] = {
    "identity": (identity_pb2, identity_pb2_grpc),
    "intake": (intake_pb2, intake_pb2_grpc),
    "routing": (routing_pb2, routing_pb2_grpc),
    "billing": (billing_pb2, billing_pb2_grpc),
    "notifications": (notifications_pb2, notifications_pb2_grpc),
}


@dataclass
class FakeServices:
    """All five, started on free ports. `kill` one and it is gone; `start` it and it is back where it was."""

    mint: TokenMint
    identity: FakeIdentity = field(init=False)
    intake: FakeIntake = field(default_factory=FakeIntake)
    routing: FakeRouting = field(default_factory=FakeRouting)
    billing: FakeBilling = field(default_factory=FakeBilling)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    ports: dict[str, int] = field(default_factory=dict)
    _running: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identity = FakeIdentity(self.mint)

    async def start(self, name: str) -> None:
        messages, stubs = _DESCRIPTORS[name]
        descriptor: ServiceDescriptor = next(iter(messages.DESCRIPTOR.services_by_name.values()))
        register: Callable[[Any, Any], None] = getattr(stubs, f"add_{descriptor.name}Servicer_to_server")
        server = Server(name, TokenVerifier(self.mint), "127.0.0.1", self.ports.get(name, 0))
        authority = {method.name: ANYONE for method in descriptor.methods}
        server.add(descriptor, authority, lambda at: register(getattr(self, name), at))
        stop = asyncio.Event()
        self.ports[name] = server.port
        self._running[name] = stop, asyncio.create_task(server.run(stop))

    async def kill(self, name: str) -> None:
        """At once, in the middle of whatever it does."""
        stop, task = self._running.pop(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grpc, "STOP_GRACE_S", 0.0)
            stop.set()
            await task

    async def start_all(self) -> None:
        for name in _DESCRIPTORS:
            await self.start(name)

    async def restore(self) -> None:
        """Everything up again, and nothing remembered."""
        for name in _DESCRIPTORS:
            getattr(self, name).forget()
            if name not in self._running:
                await self.start(name)

    async def kill_all(self) -> None:
        for name in list(self._running):
            await self.kill(name)

    def targets(self) -> dict[str, str]:
        return {f"{name}_target": f"127.0.0.1:{port}" for name, port in self.ports.items()}
