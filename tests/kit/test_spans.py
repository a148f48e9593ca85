"""What is recorded of a trace, what is not, and that recording never stands in anybody's way."""

import time
from collections.abc import Iterator

import pytest
from kit import clock, spans, trace
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from tests.kit.collector import Collector, Told, collecting

OUTSIDER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = OUTSIDER[:-2] + "00"
NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector
    trace.install(None)


def recorded(collector: Collector, share: float, traceparent: str) -> list[Told]:
    """A request, a call it makes, and one that fails, told and collected."""
    recorder = spans.record("kitchen", collector.endpoint, share)
    request = trace.serve("POST", traceparent)
    with trace.span("ask the cook", "client"):
        pass
    with pytest.raises(ZeroDivisionError), trace.span("divide"):
        raise ZeroDivisionError
    request.rename("POST /meals")
    request.end()
    recorder.close()
    return collector.of(trace.trace_id(request.traceparent))


def test_a_request_is_the_root_of_a_trace_whose_id_its_answer_names(collector: Collector) -> None:
    told = {one.name: one for one in recorded(collector, 1.0, "")}
    assert set(told) == {"POST /meals", "ask the cook", "divide"}
    root = told["POST /meals"]
    assert (root.parent_id, root.service) == ("", "kitchen")
    assert {told[name].parent_id for name in ("ask the cook", "divide")} == {root.span_id}
    assert [told[name].failure for name in told if told[name].failure] == ["ZeroDivisionError"]


def test_a_trace_that_came_in_goes_on_under_its_caller(collector: Collector) -> None:
    told = {one.name: one for one in recorded(collector, 0.0, OUTSIDER)}
    assert (told["POST /meals"].trace_id, told["POST /meals"].parent_id) == (OUTSIDER[3:35], OUTSIDER[36:52])


def test_what_is_not_chosen_is_not_recorded_but_goes_on(collector: Collector) -> None:
    assert recorded(collector, 1.0, UNSAMPLED) == []
    assert trace.current() == UNSAMPLED
    assert recorded(collector, 0.0, "") == []
    assert trace.current().endswith("-00")


def test_the_share_is_kept_by_the_trace_id_so_that_every_process_would_choose_alike(collector: Collector) -> None:
    recorder = spans.OtlpRecorder("kitchen", collector.endpoint, 0.25)
    chosen = sum(recorder.chooses(trace.trace_id(trace.begin())) for _ in range(4_000))
    recorder.close()
    assert 800 < chosen < 1_200
    assert TraceIdRatioBased(0.25).bound == recorder.bound


def test_a_span_may_have_begun_before_it_is_told(collector: Collector) -> None:
    recorder = spans.record("kitchen", collector.endpoint, 1.0)
    began = clock.now().replace(year=2020)
    trace.start("wait for the bus", "producer", OUTSIDER, began).end()
    recorder.close()
    (told,) = collector.of(OUTSIDER[3:35])
    assert told.began_ns // 1_000_000_000 == int(began.timestamp())
    assert told.ended_ns > told.began_ns


def test_a_collector_that_is_away_costs_nobody_anything() -> None:
    recorder = spans.record("kitchen", NOBODY_LISTENS, 1.0)
    began = time.monotonic()
    for _ in range(3 * spans.QUEUE_SPANS_MAX):
        trace.start("one of many").end()
    assert time.monotonic() - began < 5
    recorder.close()
    assert time.monotonic() - began < 5 + 2 * spans.CLOSE_LIMIT_S
    trace.install(None)
