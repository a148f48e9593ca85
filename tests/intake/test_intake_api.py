"""The gRPC face: who may call what, and the stream that carries many submissions."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from intake.api import AUTHORITY, stream
from kit.errors import Forbidden, NotFound, Unauthenticated
from kit.testing import a_principal
from portolan.intake.v1 import intake_pb2 as pb

from tests.intake.builders import TITLE, Window, a_body, an_imputation, customs, the_broker, the_importer
from tests.intake.conftest import Face

pytestmark = pytest.mark.service("intake")


def message(face: Face, batch: int, count: int = 1, **submission: Any) -> pb.SubmitDocumentsRequest:
    asked = [face.window.submission(**submission) for _ in range(count)]
    return pb.SubmitDocumentsRequest(
        batch=batch,
        submissions=[
            pb.Submission(
                access_token=one.access_token,
                idempotency_key=one.idempotency_key,
                request_json=one.request,
                language=one.language,
            )
            for one in asked
        ],
    )


async def streamed(face: Face, *messages: pb.SubmitDocumentsRequest) -> dict[int, list[pb.SubmissionAnswer]]:
    async def requests() -> AsyncIterator[pb.SubmitDocumentsRequest]:
        for one in messages:
            yield one

    return {answer.batch: list(answer.answers) async for answer in face.stub.SubmitDocuments(requests())}


async def test_every_message_of_a_stream_is_answered_by_its_number(face: Face) -> None:
    bad = message(face, 2, document_type="no.such", body={"a": 1})
    answers = await streamed(face, message(face, 1, 3), bad, message(face, 3, 2))
    assert {batch: len(found) for batch, found in answers.items()} == {1: 3, 2: 1, 3: 2}
    assert all(answer.document_json for batch in (1, 3) for answer in answers[batch])
    problem = answers[2][0].problem
    assert (problem.code, problem.facts["kind"]) == ("INVALID_DOCUMENT", "Invalid")
    assert problem.violations[0].pointer == "/type"


async def test_streams_share_commits(face: Face) -> None:
    streams = [streamed(face, *(message(face, batch, 5) for batch in range(4))) for _ in range(3)]
    answers = await asyncio.gather(*streams)
    assert sum(len(found) for one in answers for found in one.values()) == 60
    assert await face.window.count("select count(*) from documents") == 60


async def test_a_stream_left_in_the_middle_harms_nobody(face: Face) -> None:
    call = face.stub.SubmitDocuments()
    await call.write(message(face, 1, 2))
    await call.read()
    call.cancel()
    assert (await streamed(face, message(face, 1)))[1][0].document_id


async def test_who_does_not_listen_is_not_read_any_further(window: Window) -> None:
    """Answers nobody took piled up without end."""
    read = 0

    async def requests() -> AsyncIterator[pb.SubmitDocumentsRequest]:
        nonlocal read
        for batch in range(10 * stream.MESSAGES_IN_FLIGHT_MAX):
            read += 1
            yield pb.SubmitDocumentsRequest(batch=batch)

    answers = stream.answer_all(window.desk, requests())
    await anext(answers)
    await asyncio.sleep(0.1)
    assert read <= stream.MESSAGES_IN_FLIGHT_MAX + 1
    assert [answer.batch async for answer in answers][-1] == 10 * stream.MESSAGES_IN_FLIGHT_MAX - 1


async def test_the_whole_way_over_grpc(face: Face) -> None:
    title = await face.window.title()
    got = await face.call("GetDocument", pb.GetDocumentRequest(id=title), the_importer())
    assert (json.loads(got.document_json)["id"], got.etag) == (title, '"4"')
    page = await face.call("ListDocuments", pb.ListDocumentsRequest(type=TITLE, limit=1), the_broker())
    assert len(page.document_jsons) == 1
    request = pb.ImputeTitleRequest(id=title, request_json=json.dumps(an_imputation(quantity="12000")).encode())
    imputed = await face.call("ImputeTitle", request, customs())
    imputation = json.loads(imputed.imputation_json)
    assert json.loads((await face.call("GetLedger", pb.GetLedgerRequest(id=title), customs())).ledger_json)
    cancel = pb.CancelImputationRequest(id=title, imputation_id=imputation["id"])
    cancelled = await face.call("CancelImputation", cancel, customs())
    assert json.loads(cancelled.imputation_json)["state"] == "CANCELLED"
    withdraw = pb.WithdrawDocumentRequest(id=title, if_match="*")
    withdrawn = await face.call("WithdrawDocument", withdraw, the_broker())
    assert json.loads(withdrawn.document_json)["state"] == "WITHDRAWN"
    timeline = await face.call("GetTimeline", pb.GetTimelineRequest(id=title), the_broker())
    assert json.loads(timeline.timeline_json)["state"] == "WITHDRAWN"
    assert json.loads((await face.call("GetReceipt", pb.GetReceiptRequest(id=title), the_broker())).receipt_json)


async def test_the_open_shelf_needs_no_token(face: Face) -> None:
    types = await face.call("ListDocumentTypes", pb.ListDocumentTypesRequest())
    assert TITLE in {json.loads(one)["type"] for one in types.document_type_jsons}
    one = await face.call("GetDocumentType", pb.GetDocumentTypeRequest(type=TITLE))
    assert json.loads(one.document_type_json)["type"] == TITLE
    dictionary = json.loads((await face.call("GetDataDictionary", pb.GetDataDictionaryRequest())).dictionary_json)
    known = {element["id"] for element in dictionary["elements"]}
    assert {field["element"] for field in dictionary["fields"]} == known
    assert [field for field in dictionary["fields"] if field["document_type"] == TITLE and field["labels"]]
    assert json.loads(one.document_type_json)["fields"][0]["element"] in known
    codes = await face.call("ListReferenceCodes", pb.ListReferenceCodesRequest(list="units", limit=3))
    assert len(codes.code_jsons) == 3
    assert (await face.call("ListReceiptKeys", pb.ListReceiptKeysRequest())).jwk_jsons


async def test_simulation_over_grpc(face: Face) -> None:
    request = pb.SimulateDocumentRequest(request_json=json.dumps({"type": TITLE, "body": a_body()}).encode())
    answer = await face.call("SimulateDocument", request, the_importer())
    assert answer.valid
    assert json.loads(answer.facts_json)["type"] == TITLE


REQUESTS: dict[str, Any] = {
    "SimulateDocument": pb.SimulateDocumentRequest(request_json=b"{}"),
    "GetDocument": pb.GetDocumentRequest(id="x"),
    "ListDocuments": pb.ListDocumentsRequest(),
    "WithdrawDocument": pb.WithdrawDocumentRequest(id="x"),
    "AmendDocument": pb.AmendDocumentRequest(id="x", request_json=b'{"body": {}}'),
    "ProvideInformation": pb.ProvideInformationRequest(id="x"),
    "ListConditions": pb.ListConditionsRequest(id="x"),
    "SatisfyCondition": pb.SatisfyConditionRequest(id="x", condition_id="x", attachment="0" * 64),
    "ChangeBank": pb.ChangeBankRequest(id="x", request_json=b'{"bank": "1"}'),
    "CancelDocument": pb.CancelDocumentRequest(id="x", reason="x"),
    "GetTimeline": pb.GetTimelineRequest(id="x"),
    "ListAccesses": pb.ListAccessesRequest(id="x"),
    "WaitTimeline": pb.WaitTimelineRequest(id="x"),
    "GetReceipt": pb.GetReceiptRequest(id="x"),
    "GetGraph": pb.GetGraphRequest(id="x", depth=1),
    "Search": pb.SearchRequest(query="EI-2026"),
    "TellDeclaration": pb.TellDeclarationRequest(number="x"),
    "GetDeclaration": pb.GetDeclarationRequest(number="x"),
    "NoteReadings": pb.NoteReadingsRequest(action="get_task", document_ids=["x"]),
    "GetLedger": pb.GetLedgerRequest(id="x"),
    "ImputeTitle": pb.ImputeTitleRequest(id="x"),
    "CancelImputation": pb.CancelImputationRequest(id="x"),
    "GetSettlement": pb.GetSettlementRequest(id="x"),
    "RecordPayment": pb.RecordPaymentRequest(id="x"),
    "CancelPayment": pb.CancelPaymentRequest(id="x"),
    "ClearTitle": pb.ClearTitleRequest(id="x"),
    "CreateDraft": pb.CreateDraftRequest(),
    "GetDraft": pb.GetDraftRequest(id="x"),
    "ListDrafts": pb.ListDraftsRequest(),
    "ChangeDraft": pb.ChangeDraftRequest(id="x"),
    "DeleteDraft": pb.DeleteDraftRequest(id="x"),
    "SubmitDraft": pb.SubmitDraftRequest(id="x"),
    "CopyDocument": pb.CopyDocumentRequest(id="x"),
    "CopyDraft": pb.CopyDraftRequest(id="x"),
    "AskProcedure": pb.AskProcedureRequest(question_json=b"{}"),
    "CompleteStage": pb.CompleteStageRequest(id="x"),
    "PrefillDocument": pb.PrefillDocumentRequest(),
    "GetProvenance": pb.GetProvenanceRequest(id="x"),
}

# Lists show what the caller may see, be it nothing; what goods need is the same for everybody.
LISTS = {"ListDocuments", "Search", "AskProcedure"}

# Files come and go in pieces: test_intake_attachments.py asks who may.
STREAMED = {"StoreAttachment", "ReadAttachment"}


async def test_every_call_says_who_may_make_it(face: Face) -> None:
    """A new method without a line here fails: nobody and the wrong role are refused, the unknown is not found."""
    guarded = {name for name, allowed in AUTHORITY.items() if "anyone" not in allowed}
    assert set(REQUESTS) | STREAMED == guarded
    for name, request in REQUESTS.items():
        with pytest.raises(Unauthenticated):
            await face.call(name, request)
        if "signed_in" not in AUTHORITY[name]:
            with pytest.raises(Forbidden):
                await face.call(name, request, a_principal("finance_officer"))
        elif name not in LISTS:
            with pytest.raises(NotFound):
                await face.call(name, request, a_principal("finance_officer"))
