"""gRPC as Portolan speaks it: deadlines always, one error table, every method says who may call it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

from kit import auth, errors, telemetry, trace
from kit.errors import Forbidden, Internal, PortolanError, Unauthenticated, Unavailable
from kit.standing import Standing, StandingApi

ANYONE: frozenset[str] = frozenset({"anyone"})
SIGNED_IN: frozenset[str] = frozenset({"signed_in"})
SERVICE: frozenset[str] = frozenset({"service"})
Authority = Mapping[str, frozenset[str]]

DEADLINE_S = 2.0
MARGIN_S = 0.05
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
CONCURRENT_CALLS_MAX = 512
CONNECTION_AGE_MS = 300_000
CONNECTION_GRACE_MS = 30_000
KEEPALIVE_MS = 60_000
STOP_GRACE_S = 5.0
METADATA_BYTES_MAX = 16 * 1024

_deadline_at: ContextVar[float | None] = ContextVar("deadline_at", default=None)


class Server:
    """`add` services with their authority table, then `run` until told to stop."""

    def __init__(self, service: str, verifier: auth.TokenVerifier, host: str, port: int) -> None:
        self._guard = _Guard(service, verifier)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[self._guard], maximum_concurrent_rpcs=CONCURRENT_CALLS_MAX, options=_SERVER_OPTIONS
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._looks: list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]] = []
        self.port = self._server.add_insecure_port(f"{host}:{port}")

    def add(
        self, descriptor: ServiceDescriptor, authority: Authority, register: Callable[[grpc.aio.Server], None]
    ) -> None:
        """Raises ValueError when a method has no verdict: nothing is open by omission."""
        missing = {method.name for method in descriptor.methods} ^ set(authority)
        if missing:
            raise ValueError(f"{descriptor.full_name}: no authority, or no method, for {sorted(missing)}")
        for method in descriptor.methods:
            self._guard.authority[f"/{descriptor.full_name}/{method.name}"] = authority[method.name]
        register(self._server)

    def stands(self, standing: Standing) -> None:
        """Looks at what the service needs while it runs; tells the gateway, and gRPC health by each one's name."""
        descriptor = standing_pb2.DESCRIPTOR.services_by_name["StandingService"]
        api = StandingApi(standing)
        self.add(
            descriptor,
            {"GetStanding": SERVICE},
            lambda server: standing_pb2_grpc.add_StandingServiceServicer_to_server(api, server),
        )
        self._looks.append(lambda stop: standing.run(stop, self._tell_health))

    async def run(self, stop: asyncio.Event) -> None:
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        looking = [asyncio.create_task(look(stop)) for look in self._looks]
        await stop.wait()
        for look in looking:
            look.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await self._health.enter_graceful_shutdown()
        self._guard.stopping.set()
        await self._server.stop(STOP_GRACE_S)

    async def _tell_health(self, name: str, is_usable: bool) -> None:
        known = health_pb2.HealthCheckResponse
        await self._health.set(name, known.SERVING if is_usable else known.NOT_SERVING)


_SERVER_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
    ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_MS),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
)

Handler = Callable[[Any, Any], Awaitable[Any]]


def _metadata_of(context: Any) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


class _Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Outermost to innermost: trace, metrics, errors, deadline, caller, handler."""

    def __init__(self, service: str, verifier: auth.TokenVerifier) -> None:
        self.authority: dict[str, frozenset[str]] = {}
        self.stopping = asyncio.Event()
        self._service = service
        self._verifier = verifier

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc.health."):
            return handler
        if handler.stream_stream is not None:
            return _stream_handler(handler, details.method, self.stopping)
        wrap, kind = self._wrapping(handler)
        wrapped = wrap(details.method, handler.unary_unary or handler.stream_unary or handler.unary_stream)
        return kind(
            wrapped, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )

    def _wrapping(self, handler: Any) -> tuple[Any, Any]:
        """Uploads and downloads are one call by one caller, as unary calls are."""
        if handler.unary_unary is not None:
            return self._wrap, grpc.unary_unary_rpc_method_handler
        if handler.stream_unary is not None:
            return self._wrap, grpc.stream_unary_rpc_method_handler
        return self._wrap_download, grpc.unary_stream_rpc_method_handler

    def _wrap(self, method: str, handle: Handler) -> Handler:
        async def answer(request: Any, context: Any) -> Any:
            async with self._answering(method, context):
                return await handle(request, context)

        return answer

    def _wrap_download(self, method: str, handle: Callable[[Any, Any], AsyncGenerator[Any, None]]) -> Any:
        async def answer(request: Any, context: Any) -> AsyncGenerator[Any, None]:
            async with self._answering(method, context), contextlib.aclosing(handle(request, context)) as items:
                async for item in items:
                    yield item

        return answer

    @contextlib.asynccontextmanager
    async def _answering(self, method: str, context: Any) -> AsyncIterator[None]:
        began = time.perf_counter()
        code = "OK"
        metadata = _metadata_of(context)
        span = trace.start(method[1:], "server", metadata.get("traceparent", ""))
        trace.begin(span.traceparent)
        try:
            await self._enter(method, context, metadata)
            yield
        except PortolanError as error:
            code = error.rpc_code.name
            await context.abort_with_status(errors.to_status(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            code = "INTERNAL"
            await context.abort_with_status(errors.to_status(errors.fault("call_failed", error, method=method)))
        finally:
            span.end("" if code == "OK" else code)
            took = time.perf_counter() - began
            telemetry.CALL_SECONDS.labels(self._service, method.rpartition("/")[2], code).observe(took)

    async def _enter(self, method: str, context: Any, metadata: Mapping[str, str]) -> None:
        remaining = context.time_remaining()
        if remaining is None:
            raise errors.Malformed("MALFORMED", "a call without a deadline is not accepted")
        _deadline_at.set(time.monotonic() + remaining)
        await self._admit(self.authority[method], metadata)

    async def _admit(self, allowed: frozenset[str], metadata: Mapping[str, str]) -> None:
        token = metadata.get("authorization", "").removeprefix("Bearer ")
        if not token and allowed is not ANYONE:
            raise Unauthenticated("UNAUTHENTICATED")
        principal = await self._verifier.verify(token) if token else None
        language = metadata.get("accept-language", "")
        auth.set_caller(auth.in_language(principal, language) if principal else None)
        if allowed in (ANYONE, SIGNED_IN) or principal is None:
            return
        if principal.roles.isdisjoint(allowed):
            raise Forbidden("FORBIDDEN", "this needs the role " + " or ".join(sorted(allowed)))


def _stream_handler(handler: Any, method: str, stopping: asyncio.Event) -> Any:
    """Streams are between our own processes; each item carries its caller, and the handler judges it.

    They end when the server stops: the other end sends what is unanswered again, to whoever serves then.
    """

    async def answer(requests: Any, context: Any) -> Any:
        trace.begin(_metadata_of(context).get("traceparent", ""))
        try:
            async for response in _until(stopping, handler.stream_stream(requests, context)):
                yield response
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            await context.abort_with_status(errors.to_status(errors.fault("call_failed", error, method=method)))

    return grpc.stream_stream_rpc_method_handler(
        answer, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
    )


async def _until(stopping: asyncio.Event, items: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    stopped = asyncio.create_task(stopping.wait())
    upcoming = asyncio.ensure_future(anext(items, None))
    try:
        while True:
            await asyncio.wait((upcoming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done() or (item := upcoming.result()) is None:
                return
            yield item
            upcoming = asyncio.ensure_future(anext(items, None))
    finally:
        stopped.cancel()
        # Also when the caller left: a generator that still runs cannot be closed.
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await items.aclose()


_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)


def channel(target: str) -> grpc.aio.Channel:
    """One per target and process. Every write of ours is idempotent, so UNAVAILABLE is retried."""
    return grpc.aio.insecure_channel(
        target,
        options=[
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        ],
    )


def begin_budget(seconds: float) -> None:
    """Starts the time a request may take in all, at the edge; calls made on its behalf get what is left of it."""
    _deadline_at.set(time.monotonic() + seconds)


def remaining_s(default: float = DEADLINE_S) -> float:
    at = _deadline_at.get()
    return default if at is None else min(default, at - time.monotonic() - MARGIN_S)


async def call(
    method: Any, request: Any, *, token: str = "", language: str = "", deadline_s: float = DEADLINE_S
) -> Any:
    """Calls a stub's unary method with deadline, trace and caller; raises the PortolanError the other end raised."""
    with trace.span(_name_of(method), "client"):
        try:
            return await method(request, timeout=_left_s(deadline_s), metadata=_metadata(token, language))
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error) from error


def _name_of(method: Any) -> str:
    """grpc.aio keeps a stub's method name to itself; a stub of another make has none to show."""
    name = getattr(method, "_method", b"call")
    return name.decode().removeprefix("/") if isinstance(name, bytes) else str(name)


async def upload(
    method: Any, requests: AsyncIterator[Any], *, token: str, language: str = "", deadline_s: float = DEADLINE_S
) -> Any:
    """Calls a stub's stream-unary method. Raises what `requests` raises, or the PortolanError of the other end.

    `requests` is read to its end in any case: whoever is behind it listens for an answer only then. The other end
    reads all of it, too, before it refuses: what is written to a call that has ended hides why it did.
    """
    call = method(timeout=_left_s(deadline_s), metadata=_metadata(token, language))
    is_listening = True
    try:
        async for request in requests:
            is_listening = is_listening and await _written(call, request)
        if is_listening:
            await call.done_writing()
        return await call
    except grpc.aio.AioRpcError as error:
        refusal = errors.from_rpc(error)
        if not is_listening and isinstance(refusal, Internal):
            raise Unavailable("OVERLOADED", "the transfer was broken off") from error
        raise refusal from error
    finally:
        call.cancel()


async def _written(call: Any, request: Any) -> bool:
    """False when the other end has answered already."""
    try:
        await call.write(request)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return False
    return True


async def download(
    method: Any, request: Any, *, token: str, language: str = "", deadline_s: float = DEADLINE_S
) -> AsyncGenerator[Any, None]:
    """Calls a stub's unary-stream method. Raises the PortolanError the other end raised."""
    call = method(request, timeout=_left_s(deadline_s), metadata=_metadata(token, language))
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise errors.from_rpc(error) from error
    finally:
        call.cancel()


def _left_s(deadline_s: float) -> float:
    left = remaining_s(deadline_s)
    if left <= 0:
        raise Unavailable("OVERLOADED", "the time for this request is spent")
    return left


def _metadata(token: str, language: str) -> list[tuple[str, str]]:
    metadata = [("traceparent", trace.current())]
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    if language:
        metadata.append(("accept-language", language))
    return metadata


async def is_serving(channel: grpc.aio.Channel, deadline_s: float = 0.5) -> bool:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=deadline_s)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
