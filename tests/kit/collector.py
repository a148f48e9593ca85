"""A collector of spans, as small as one can be: OTLP over gRPC, everything kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Told:
    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failure: str
    began_ns: int
    ended_ns: int


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc, unused-ignore]
    endpoint: str = ""
    spans: list[Told] = field(default_factory=list)

    def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.spans += [_told(names["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def of(self, trace_id: str) -> list[Told]:
        return [one for one in list(self.spans) if one.trace_id == trace_id]

    def wait_for(self, trace_id: str, names: set[str], limit_s: float) -> list[Told]:
        until = time.monotonic() + limit_s
        while names - {one.name for one in self.of(trace_id)} and time.monotonic() < until:
            time.sleep(0.1)
        return self.of(trace_id)


def _told(service: str, span: Any) -> Told:
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    times = span.start_time_unix_nano, span.end_time_unix_nano
    return Told(service, span.name, *ids, span.kind, span.status.message, *times)


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    register: Callable[[Any, Any], None] = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    register(collector, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    collector.endpoint = f"http://{LOOPBACK}:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None)
