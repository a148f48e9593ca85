"""The outermost layer, plain ASGI: trace, time, limits, the headers every answer has, and the last net for faults."""

from __future__ import annotations

import time
from collections.abc import Iterable

from kit import telemetry, trace
from kit.errors import Internal, Malformed, PortolanError, Unavailable
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import bodies, hot, metrics, problems
from gateway.refusals import HeadersTooLarge, UriTooLong
from gateway.wiring import Wiring

URI_BYTES_MAX = 16 * 1024
HEADER_BYTES_MAX = 16 * 1024
HEADERS_MAX = 64
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FAULT_FROM = 500
ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz"})
SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)


class Edge:
    def __init__(self, app: ASGIApp, wiring: Wiring) -> None:
        self._app = app
        self._submit = hot.SubmitDocument(wiring)
        self._in_flight = 0
        self._in_flight_max = wiring.settings.requests_in_flight_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = trace.serve(scope["method"], bodies.header(scope, b"traceparent"))
        answer = _Answer(send, span.traceparent)
        self._in_flight += 1
        try:
            self._refuse(scope)
            app = self._submit if _is_submission(scope) else self._app
            await app(scope, receive, answer)
        except bodies.ClientGone:
            answer.status = 499
        except PortolanError as error:
            await answer.refuse(error, scope, receive)
        except Exception as error:
            telemetry.log().error("request_failed", path=scope["path"], exc_info=error)
            await answer.refuse(Internal("INTERNAL"), scope, receive)
        finally:
            self._in_flight -= 1
            self._count(scope, answer, span)

    def _refuse(self, scope: Scope) -> None:
        """What can be refused before anything is read."""
        if self._in_flight > self._in_flight_max and scope["path"] not in ALWAYS_ANSWERED:
            raise Unavailable("OVERLOADED", "too many requests at once")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URI_BYTES_MAX:
            raise UriTooLong("URI_TOO_LONG", f"at most {URI_BYTES_MAX} bytes")
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        if (
            sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES_MAX
            or len(scope["headers"]) > HEADERS_MAX
        ):
            raise HeadersTooLarge("HEADERS_TOO_LARGE", f"at most {HEADER_BYTES_MAX} bytes and {HEADERS_MAX} headers")
        if "\x00" in scope["path"]:
            raise Malformed("MALFORMED", "the path holds NUL")

    def _count(self, scope: Scope, answer: _Answer, span: trace.Span) -> None:
        route = hot.PATH if _is_submission(scope) else getattr(scope.get("route"), "path_format", "unmatched")
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        metrics.REQUEST_SECONDS.labels(method, route, answer.status).observe(time.perf_counter() - answer.began)
        metrics.REQUESTS_IN_FLIGHT.set(self._in_flight)
        span.rename(f"{method} {route}")
        span.note("http.response.status_code", answer.status)
        span.end("" if answer.status < FAULT_FROM else str(answer.status))


def _is_submission(scope: Scope) -> bool:
    return bool(scope["path"] == hot.PATH and scope["method"] == hot.METHOD)


class _Answer:
    """`send`, with the headers that every answer has."""

    def __init__(self, send: Send, traceparent: str) -> None:
        self._send = send
        self._traceparent = traceparent
        self.began = time.perf_counter()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message["headers"])
            headers["traceparent"] = self._traceparent
            for name, value in SECURITY_HEADERS:
                headers.setdefault(name, value)
            headers.setdefault("vary", "Accept-Language, Authorization")
        await self._send(message)

    async def refuse(self, error: PortolanError, scope: Scope, receive: Receive) -> None:
        if self.status:
            return
        language = problems.language(bodies.header(scope, b"accept-language"))
        await problems.response(error, language)(scope, receive, self)
