"""Many documents in one CSV or XML file: each stands for itself, and gets its receipt or its refusal."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from kit import errors, strict_json, trace
from kit import grpc as kit_grpc
from kit.errors import PortolanError, TooLarge
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway import bodies, bulk, hot, problems, rates
from gateway.bulk import Form, Row, csv_file, rows, xml_file
from gateway.call import Call, answered
from gateway.operation import CSV, XML, Operation
from gateway.shapes.bulk import BulkAnswer, BulkFilter, BulkRow, Filed

BULK_BYTES_MAX = 8 * 1024 * 1024
ROWS_IN_FLIGHT_MAX = 100
BULK_S_MAX = 60.0
MULTI_STATUS = 207
TYPE_DEPTH_MAX = 128

_ENCODER = msgspec.json.Encoder(order="sorted")


async def submit_file(call: Call, query: BulkFilter, raw: bytes) -> Response:
    """What is wrong with the file is known before anything of it is submitted."""
    form = Form(await schema_of(call, query.type))
    file_key = call.idempotency_key_or_none() or ""
    count = await asyncio.to_thread(rows.bounded, _documents(call, raw, form))
    await call.wiring.rates.take(rates.SUBMISSIONS, call.principal.subject, count)
    kit_grpc.begin_budget(BULK_S_MAX)
    found = _documents(call, raw, form)
    shown: list[BulkRow] = []
    while some := await asyncio.to_thread(_next, found):
        shown += await asyncio.gather(*(_answer(call, query, file_key, row) for row in some))
    accepted = sum(row.document is not None for row in shown)
    return answered(BulkAnswer(query.type, accepted, len(shown) - accepted, shown), MULTI_STATUS)


async def get_bulk_template(call: Call, document_type: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{document_type}.csv"'}
    return Response(bulk.template(await schema_of(call, document_type)), 200, headers, f"{CSV}; charset=utf-8")


async def schema_of(call: Call, document_type: str) -> dict[str, object]:
    """Raises NotFound."""
    request = intake_pb2.GetDocumentTypeRequest(type=document_type)
    reply = await call.ask_openly(call.up.intake.GetDocumentType, request)
    schema: dict[str, object] = strict_json.loads(reply.document_type_json, depth_max=TYPE_DEPTH_MAX)["schema"]
    return schema


def _documents(call: Call, raw: bytes, form: Form) -> Iterator[Row]:
    is_csv = bodies.is_media_type(call.request.scope, CSV)
    return csv_file.documents(raw, form) if is_csv else xml_file.documents(raw, form)


def _next(found: Iterator[Row]) -> Sequence[Row]:
    return list(islice(found, ROWS_IN_FLIGHT_MAX))


async def _answer(call: Call, query: BulkFilter, file_key: str, row: Row) -> BulkRow:
    key: str | None = None
    try:
        key = hot.idempotency_key(row.idempotency_key or derived_key(file_key, row.number))
        if row.wrong is not None:
            raise row.wrong
        return await _submit(call, _request(query, row), key, row.number)
    except PortolanError as error:
        return BulkRow(row.number, errors.http_status(error), key, problem=problems.body(error, call.language))


def derived_key(file_key: str, row: int) -> str:
    """The same file under the same key has the same keys; none without a file's key."""
    return f"bulk-{hashlib.sha256(f'{file_key} {row}'.encode()).hexdigest()}" if file_key else ""


def _request(query: BulkFilter, row: Row) -> bytes:
    """Whatever order the columns have. Raises TooLarge."""
    owner = {"on_behalf_of": query.on_behalf_of} if query.on_behalf_of else {}
    request = _ENCODER.encode({"type": query.type, "body": row.body, **owner})
    if len(request) > hot.DOCUMENT_BYTES_MAX:
        raise TooLarge("TOO_LARGE", f"a document is at most {hot.DOCUMENT_BYTES_MAX} bytes")
    return request


async def _submit(call: Call, request: bytes, key: str, number: int) -> BulkRow:
    submission = intake_pb2.Submission(
        access_token=call.principal.token,
        idempotency_key=key,
        request_json=request,
        language=call.language,
        traceparent=trace.current(),
    )
    answer = await call.wiring.submissions.submit(submission, call.wiring.settings.request_budget_s)
    if answer.HasField("problem"):
        raise errors.from_problem(answer.problem)
    return BulkRow(number, 201, key, msgspec.json.decode(answer.document_json, type=Filed), answer.replayed)


OPERATIONS = (
    Operation(
        *("POST", "/v1/documents:bulk", submit_file, "Submit a CSV or XML file of documents; answered one by one"),
        answer=BulkAnswer,
        status=MULTI_STATUS,
        tag="documents",
        media_type=CSV,
        also_media_types=(XML,),
        bytes_max=BULK_BYTES_MAX,
        request_headers=("Idempotency-Key?",),
    ),
    Operation(
        *("GET", "/v1/document-types/{document_type}/bulk-template.csv", get_bulk_template),
        "The type's fields as columns, its example as the first row",
        tag="document types",
        answer_media_type=CSV,
    ),
)
