"""Spans by OpenTelemetry, sent to a collector over OTLP/gRPC from a thread of its own. Full queues drop, never wait."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from kit.trace import Kind, Span, install

QUEUE_SPANS_MAX = 4_096
BATCH_SPANS_MAX = 512
SEND_EVERY_MS = 1_000
SEND_LIMIT_S = 5
CLOSE_LIMIT_S = 2.0

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class _Ids(RandomIdGenerator):
    """A trace that begins here keeps the id that logs and answers already know."""

    _wanted: ContextVar[int] = ContextVar("wanted_trace_id", default=0)

    @classmethod
    @contextmanager
    def giving(cls, trace_id: int) -> Iterator[None]:
        token = cls._wanted.set(trace_id)
        try:
            yield
        finally:
            cls._wanted.reset(token)

    def generate_trace_id(self) -> int:
        return self._wanted.get() or super().generate_trace_id()


class OtlpRecorder:
    """`share` of the traces that begin here are recorded; those that come in are as their beginner chose."""

    def __init__(self, service: str, endpoint: str, share: float) -> None:
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=SEND_LIMIT_S)
        resource = Resource.create({"service.name": service, "service.instance.id": str(os.getpid())})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=_Ids(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=QUEUE_SPANS_MAX,
                max_export_batch_size=BATCH_SPANS_MAX,
                schedule_delay_millis=SEND_EVERY_MS,
            )
        )
        self._tracer = self._provider.get_tracer("portolan")
        self.bound = TraceIdRatioBased(share).bound

    def chooses(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self.bound

    def start_root(self, name: str, trace_id: str) -> Span:
        with _Ids.giving(int(trace_id, 16)):
            return _Recorded(self._tracer.start_span(name, Context(), SpanKind.SERVER))

    def start(self, name: str, kind: Kind, traceparent: str, began: datetime | None = None) -> Span:
        parent = SpanContext(int(traceparent[3:35], 16), int(traceparent[36:52], 16), True, TraceFlags(1))
        context = otel.set_span_in_context(NonRecordingSpan(parent))
        at_ns = int(began.timestamp() * 1e9) if began is not None else None
        return _Recorded(self._tracer.start_span(name, context, _KINDS[kind], start_time=at_ns))

    def close(self) -> None:
        """Sends what is left, for CLOSE_LIMIT_S at most: a process that leaves does not wait for a dead collector."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(CLOSE_LIMIT_S)


class _Recorded:
    def __init__(self, span: otel.Span) -> None:
        at = span.get_span_context()
        self._span = span
        self.traceparent = f"00-{at.trace_id:032x}-{at.span_id:016x}-01"

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def end(self, failure: str = "") -> None:
        if failure:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


def record(service: str, endpoint: str, share: float) -> OtlpRecorder:
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    recorder = OtlpRecorder(service, endpoint, share)
    install(recorder)
    return recorder
