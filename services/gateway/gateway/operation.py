"""One line of the contract: a method and a path, the handler whose signature says what it reads, the shape it answers.

A handler's parameters are the path's (`task_id: str`), `query` and `body` (a msgspec shape each) or `raw` (the bytes of
a JSON body that belongs to the service behind).
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

import msgspec
from fastapi import Request
from kit import grpc as kit_grpc
from kit import telemetry
from kit.errors import Internal, PortolanError
from starlette.responses import Response

from gateway import bodies, problems, rates, session
from gateway.authority import AUTHORITY, Authority
from gateway.call import Call
from gateway.wiring import Wiring

BODY_BYTES_MAX = 64 * 1024
TIMEOUT_S_MIN = 0.05
JSON = "application/json"
NDJSON = "application/x-ndjson"
BINARY = "application/octet-stream"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html"
CSV, XML = "text/csv", "application/xml"
MERGE_PATCH = "application/merge-patch+json"

Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    handler: Handler
    summary: str
    # A msgspec type, or None when the answer has no JSON shape of ours.
    answer: Any = None
    status: int = 200
    tag: str = "other"
    # How the OpenAPI names what `raw` reads: a schema of the components.
    raw_schema: str = ""
    media_type: str = JSON
    # Other names under which the same body may come.
    also_media_types: tuple[str, ...] = ()
    answer_media_type: str = JSON
    # What the same answer also comes as, to who asks for it with Accept.
    also_answer_media_types: tuple[str, ...] = ()
    bytes_max: int = BODY_BYTES_MAX
    request_headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    rate_class: str = ""
    # An open call that answers better when it knows who asks; a bad token is then as good as none.
    is_personal: bool = False

    @cached_property
    def id(self) -> str:
        return str(self.handler.__name__)

    @cached_property
    def authority(self) -> Authority:
        return AUTHORITY[self.id]

    @cached_property
    def template(self) -> str:
        """The path for the framework: ids hold no odd characters, so that `{id}:verb` is never mistaken for an id."""
        return re.sub(r"\{(\w+)\}", r"{\1:key}", self.path)

    @cached_property
    def path_names(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @cached_property
    def hints(self) -> dict[str, Any]:
        return get_type_hints(self.handler)

    @property
    def query_shape(self) -> Any:
        return self.hints.get("query")

    @property
    def body_shape(self) -> Any:
        return self.hints.get("body")

    @cached_property
    def reads_body(self) -> bool:
        return bool({"body", "raw"} & set(inspect.signature(self.handler).parameters))

    @property
    def takes_body(self) -> bool:
        """Also one that the handler itself reads."""
        return self.reads_body or bool(self.raw_schema) or self.media_type == BINARY

    @cached_property
    def body_is_optional(self) -> bool:
        shape = self.body_shape
        return shape is not None and not any(field.required for field in msgspec.structs.fields(shape))

    @cached_property
    def limited_as(self) -> str:
        if self.rate_class:
            return self.rate_class
        if self.method != "GET":
            return rates.WRITES
        return rates.OPEN_READS if self.authority.is_open else rates.READS


def endpoint(operation: Operation, wiring: Wiring) -> Callable[[Request], Awaitable[Response]]:
    """The framework's end of an operation: whatever is raised below becomes a problem here."""

    async def serve(request: Request) -> Response:
        language = problems.language(request.headers.get("accept-language", ""))
        call = Call(request, wiring, operation.id, language)
        try:
            return await _answer(operation, call)
        except PortolanError as error:
            return problems.response(error, call.language)
        except bodies.ClientGone:
            return Response(status_code=499)
        except Exception as error:
            telemetry.log().error("request_failed", operation=operation.id, exc_info=error)
            return problems.response(Internal("INTERNAL"), call.language)

    return serve


async def _answer(operation: Operation, call: Call) -> Response:
    await _admit(operation, call)
    arguments: dict[str, Any] = {name: call.request.path_params[name] for name in operation.path_names}
    query_string: bytes = call.request.scope["query_string"]
    if operation.query_shape is not None:
        arguments["query"] = bodies.query(query_string, operation.query_shape)
    else:
        bodies.no_query(query_string)
    if operation.reads_body:
        arguments |= await _body(operation, call)
    kit_grpc.begin_budget(_budget_s(call))
    return await operation.handler(call, **arguments)


async def _admit(operation: Operation, call: Call) -> None:
    """Early, cheap and the same for all: who calls, with what role, how often."""
    authority, scope, wiring = operation.authority, call.request.scope, call.wiring
    kit_grpc.begin_budget(wiring.settings.request_budget_s)
    if not authority.is_open:
        call.principal_or_none = await session.principal(wiring.verifier, scope)
        session.admit(authority, call.principal_or_none)
    elif operation.is_personal:
        with contextlib.suppress(PortolanError):
            call.principal_or_none = await session.principal(wiring.verifier, scope)
    if operation.limited_as != rates.UNLIMITED:
        await wiring.rates.take(operation.limited_as, call.who)


async def _body(operation: Operation, call: Call) -> dict[str, Any]:
    scope = call.request.scope
    if operation.body_is_optional and not _sends_body(call):
        return {"body": operation.body_shape()}
    bodies.require_media_type(scope, operation.media_type, *operation.also_media_types)
    raw = await bodies.read(scope, call.request.receive, operation.bytes_max)
    if operation.body_shape is None:
        return {"raw": raw}
    return {"body": bodies.parse(raw, operation.body_shape)}


def _sends_body(call: Call) -> bool:
    headers = call.request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _budget_s(call: Call) -> float:
    """X-Request-Timeout (seconds) may shorten the time a request is given, never lengthen it."""
    most = call.wiring.settings.request_budget_s
    try:
        asked = float(call.header("x-request-timeout"))
    except ValueError:
        return most
    return min(max(asked, TIMEOUT_S_MIN), most) if asked == asked else most
