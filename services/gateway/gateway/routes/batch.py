"""Many submissions in one request: each line stands for itself, and is answered in its place."""

from __future__ import annotations

import asyncio

import msgspec
from kit import errors, strict_json, trace
from kit.errors import Invalid, Malformed, PortolanError, TooLarge
from portolan.intake.v1.intake_pb2 import Submission
from starlette.responses import Response

from gateway import bodies, hot, problems, rates
from gateway.call import Call
from gateway.operation import NDJSON, Operation

LINES_MAX = 500
BATCH_BYTES_MAX = 8 * 1024 * 1024
LINES_IN_FLIGHT_MAX = 128
MULTI_STATUS = 207


_ENCODER = msgspec.json.Encoder()


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """The parts that intake judges stay the bytes they came as: the same line again is the same request."""

    type: msgspec.Raw
    body: msgspec.Raw
    idempotency_key: str = ""
    on_behalf_of: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Answer(msgspec.Struct, omit_defaults=True):
    line: int
    status: int
    idempotency_key: str | None = None
    document: msgspec.Raw | None = None
    replayed: bool = False
    problem: dict[str, object] | None = None


async def submit_documents(call: Call, raw: bytes) -> Response:
    lines = [line for line in raw.split(b"\n") if line.strip()]
    if not lines:
        raise Malformed("MALFORMED", "send one submission a line")
    if len(lines) > LINES_MAX:
        raise TooLarge("TOO_LARGE", f"at most {LINES_MAX} lines", facts={"lines_max": str(LINES_MAX)})
    await call.wiring.rates.take(rates.SUBMISSIONS, call.principal.subject, len(lines))
    turns = asyncio.Semaphore(LINES_IN_FLIGHT_MAX)
    answers = await asyncio.gather(*(_answer(call, turns, number, line) for number, line in enumerate(lines, 1)))
    return Response(_ENCODER.encode_lines(answers), MULTI_STATUS, media_type=NDJSON)


async def _answer(call: Call, turns: asyncio.Semaphore, number: int, raw: bytes) -> Answer:
    key: str | None = None
    try:
        line = _line(raw)
        key = hot.idempotency_key(line.idempotency_key)
        async with turns:
            return await _submit(call, number, line)
    except PortolanError as error:
        problem = problems.body(error, call.language)
        return Answer(number, errors.http_status(error), key, problem=problem)


async def _submit(call: Call, number: int, line: Line) -> Answer:
    submission = Submission(
        access_token=call.principal.token,
        idempotency_key=line.idempotency_key,
        request_json=_request(line),
        language=call.language,
        traceparent=trace.current(),
    )
    answer = await call.wiring.submissions.submit(submission, call.wiring.settings.request_budget_s)
    if answer.HasField("problem"):
        raise errors.from_problem(answer.problem)
    document = msgspec.Raw(answer.document_json)
    return Answer(number, 201, line.idempotency_key, document, answer.replayed)


def _line(raw: bytes) -> Line:
    """Raises TooLarge, Malformed or Invalid."""
    if len(raw) > hot.DOCUMENT_BYTES_MAX:
        raise TooLarge("TOO_LARGE", f"at most {hot.DOCUMENT_BYTES_MAX} bytes a line")
    strict_json.loads(raw)
    try:
        return msgspec.json.decode(raw, type=Line)
    except msgspec.ValidationError as error:
        raise Invalid("INVALID_DOCUMENT", violations=[bodies.violation(error)]) from error
    except msgspec.DecodeError as error:
        raise Malformed("MALFORMED", str(error)) from error


def _request(line: Line) -> bytes:
    return msgspec.json.encode(
        {name: getattr(line, name) for name in ("type", "on_behalf_of", "body") if _is_set(line, name)}
    )


def _is_set(line: Line, name: str) -> bool:
    return getattr(line, name) is not msgspec.UNSET


OPERATIONS = (
    Operation(
        *("POST", "/v1/documents:batch", submit_documents, "Submit many documents, one a line; answered line by line"),
        status=MULTI_STATUS,
        tag="documents",
        raw_schema="BatchLine",
        media_type=NDJSON,
        answer_media_type=NDJSON,
        bytes_max=BATCH_BYTES_MAX,
    ),
)
