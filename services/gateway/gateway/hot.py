"""POST /v1/documents, answered before the framework's router: the one call whose microseconds are counted."""

from __future__ import annotations

import re

from kit import errors, trace
from kit.auth import Principal
from kit.errors import Malformed
from portolan.intake.v1.intake_pb2 import Submission, SubmissionAnswer
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import bodies, problems, rates, session
from gateway.authority import AUTHORITY
from gateway.wiring import Wiring

PATH = "/v1/documents"
METHOD = "POST"
DOCUMENT_BYTES_MAX = 256 * 1024
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")


class SubmitDocument:
    """The raw ASGI application of this one call."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        language = problems.language(bodies.header(scope, b"accept-language"))
        try:
            caller = await session.principal(self._wiring.verifier, scope)
            language = language or caller.language
            response = await submit(self._wiring, scope, receive, caller, language)
        except errors.PortolanError as error:
            response = problems.response(error, language)
        await response(scope, receive, send)


async def submit(wiring: Wiring, scope: Scope, receive: Receive, caller: Principal, language: str) -> Response:
    """The request's body goes to intake as it came; intake's stored answer goes back as it is."""
    session.admit(AUTHORITY["submit_document"], caller)
    await wiring.rates.take(rates.SUBMISSIONS, caller.subject)
    bodies.no_query(scope["query_string"])
    key = idempotency_key(bodies.header(scope, b"idempotency-key"))
    bodies.require_media_type(scope, "application/json")
    submission = Submission(
        access_token=caller.token,
        idempotency_key=key,
        request_json=await bodies.read(scope, receive, DOCUMENT_BYTES_MAX),
        language=language,
        traceparent=trace.current(),
    )
    return accepted(await wiring.submissions.submit(submission, wiring.settings.request_budget_s))


def idempotency_key(given: str) -> str:
    if not given:
        raise Malformed(
            "IDEMPOTENCY_KEY_MISSING", "send an Idempotency-Key header; the same key is the same submission"
        )
    if not IDEMPOTENCY_KEY.fullmatch(given):
        raise Malformed("MALFORMED", "an Idempotency-Key is 1 to 200 visible ASCII characters")
    return given


def accepted(answer: SubmissionAnswer) -> Response:
    """Raises the problem that intake answered."""
    if answer.HasField("problem"):
        raise errors.from_problem(answer.problem)
    headers = {"location": f"{PATH}/{answer.document_id}", "etag": entity_tag(answer.etag)}
    if answer.replayed:
        headers["idempotent-replayed"] = "true"
    return Response(answer.document_json, 201, headers, "application/json")


def entity_tag(etag: str) -> str:
    return etag if etag.startswith('"') else f'"{etag}"'
