"""The quantity ledger of a title, and customs writing in it."""

from __future__ import annotations

import msgspec
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, passed_on
from gateway.operation import Operation
from gateway.shapes.documents import Imputation, Ledger, Withdrawal


async def get_ledger(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.intake.GetLedger, intake_pb2.GetLedgerRequest(id=document_id))
    return passed_on(reply.ledger_json)


async def impute_title(call: Call, document_id: str, raw: bytes) -> Response:
    request = intake_pb2.ImputeTitleRequest(id=document_id, request_json=raw)
    reply = await call.ask(call.up.intake.ImputeTitle, request)
    imputation_id = msgspec.json.decode(reply.imputation_json, type=_Identified).id
    headers = {"location": f"/v1/documents/{document_id}/imputations/{imputation_id}"}
    if reply.replayed:
        headers["idempotent-replayed"] = "true"
    return passed_on(reply.imputation_json, 201, headers)


async def cancel_imputation(call: Call, document_id: str, imputation_id: str, body: Withdrawal) -> Response:
    request = intake_pb2.CancelImputationRequest(id=document_id, imputation_id=imputation_id, reason=body.reason)
    reply = await call.ask(call.up.intake.CancelImputation, request)
    return passed_on(reply.imputation_json)


class _Identified(msgspec.Struct):
    id: str


_TITLE = "/v1/documents/{document_id}"

OPERATIONS = (
    Operation(
        *("GET", f"{_TITLE}/ledger", get_ledger, "A title's quantities"),
        answer=Ledger,
        tag="titles",
    ),
    Operation(
        *("POST", f"{_TITLE}/imputations", impute_title, "Impute a declaration line; again is the same answer"),
        answer=Imputation,
        status=201,
        tag="titles",
        raw_schema="NewImputation",
        answer_headers=("Location", "Idempotent-Replayed"),
    ),
    Operation(
        *("POST", f"{_TITLE}/imputations/{{imputation_id}}:cancel", cancel_imputation, "Give the quantity back"),
        answer=Imputation,
        tag="titles",
    ),
)
