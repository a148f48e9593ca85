"""A title's two ledgers: quantities, in which customs writes, and payments, which its bank records."""

from __future__ import annotations

import msgspec
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, passed_on
from gateway.operation import Operation
from gateway.routes.documents import acted, if_match
from gateway.shapes.documents import (
    AmendedDocument,
    Clearing,
    Document,
    Imputation,
    Ledger,
    Payment,
    Settlement,
    Withdrawal,
)


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


async def get_settlement(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.intake.GetSettlement, intake_pb2.GetSettlementRequest(id=document_id))
    return passed_on(reply.settlement_json)


async def record_payment(call: Call, document_id: str, raw: bytes) -> Response:
    request = intake_pb2.RecordPaymentRequest(id=document_id, request_json=raw)
    reply = await call.ask(call.up.intake.RecordPayment, request)
    payment_id = msgspec.json.decode(reply.payment_json, type=_Identified).id
    headers = {"location": f"/v1/documents/{document_id}/payments/{payment_id}"}
    if reply.replayed:
        headers["idempotent-replayed"] = "true"
    return passed_on(reply.payment_json, 201, headers)


async def cancel_payment(call: Call, document_id: str, payment_id: str, body: Withdrawal) -> Response:
    request = intake_pb2.CancelPaymentRequest(id=document_id, payment_id=payment_id, reason=body.reason)
    reply = await call.ask(call.up.intake.CancelPayment, request)
    return passed_on(reply.payment_json)


async def clear_title(call: Call, document_id: str, body: Clearing) -> Response:
    request = intake_pb2.ClearTitleRequest(
        id=document_id,
        if_match=if_match(call),
        remarks=body.remarks,
        idempotency_key=call.idempotency_key_or_none() or "",
    )
    reply = await call.ask(call.up.intake.ClearTitle, request)
    return passed_on(reply.document_json, headers=acted(reply.etag, reply.replayed))


async def change_bank(call: Call, document_id: str, raw: bytes) -> Response:
    request = intake_pb2.ChangeBankRequest(
        id=document_id,
        if_match=if_match(call),
        request_json=raw,
        idempotency_key=call.idempotency_key_or_none() or "",
    )
    reply = await call.ask(call.up.intake.ChangeBank, request)
    return passed_on(reply.document_json, headers=acted(reply.etag, reply.replayed))


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
    Operation(
        *("GET", f"{_TITLE}/settlement", get_settlement, "What was paid of a title"),
        answer=Settlement,
        tag="titles",
    ),
    Operation(
        *("POST", f"{_TITLE}/payments", record_payment, "Record a payment; its number again is the same answer"),
        answer=Payment,
        status=201,
        tag="titles",
        raw_schema="NewPayment",
        answer_headers=("Location", "Idempotent-Replayed"),
    ),
    Operation(
        *("POST", f"{_TITLE}/payments/{{payment_id}}:cancel", cancel_payment, "Take a payment back"),
        answer=Payment,
        tag="titles",
    ),
    Operation(
        *("POST", f"{_TITLE}:clear", clear_title, "End a title whose payments are reconciled"),
        answer=Document,
        tag="titles",
        request_headers=("If-Match", "Idempotency-Key?"),
        answer_headers=("ETag", "Idempotent-Replayed"),
    ),
    Operation(
        *("POST", f"{_TITLE}:change-bank", change_bank, "A new version with another bank, once both banks agree"),
        answer=AmendedDocument,
        tag="titles",
        raw_schema="BankChange",
        request_headers=("If-Match", "Idempotency-Key?"),
        answer_headers=("ETag", "Idempotent-Replayed"),
    ),
)
