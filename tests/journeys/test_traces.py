"""One trace from the request to the last effect: the processes tell a collector, and the spans hang together."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from portolan_cli.client import Portolan

from tests.journeys.bodies import new_key, submission
from tests.journeys.conftest import System, a_system
from tests.kit.collector import Collector, Told, collecting

EFFECTS_S_MAX = 30.0
WHOLE_WAY = {
    *("POST /v1/documents", "submit document"),
    *("publish portolan.intake.document.v1", "publish portolan.routing.case.v1"),
    "routing hears portolan.intake.v1.DocumentSubmitted",
    "billing hears portolan.intake.v1.DocumentSubmitted",
    "notifications hears portolan.intake.v1.DocumentSubmitted",
    "intake hears portolan.routing.v1.CaseOpened",
    "send letter",
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[System]:
    with a_system({"PORTOLAN_TRACE_ENDPOINT": collector.endpoint}) as running:
        yield running


@pytest.fixture(scope="module")
def spans(traced: System, collector: Collector) -> list[Told]:
    """Of one submission, told by all six services."""
    broker = traced.demo.actor(kind="broker", role="declarant")
    with Portolan(traced.base_url) as portolan:
        token, body = portolan.token(broker.credentials), submission(portolan, traced.demo)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": new_key()}
    answer = httpx.post(f"{traced.base_url}/v1/documents", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return collector.wait_for(answer.headers["traceparent"][3:35], WHOLE_WAY, EFFECTS_S_MAX)


def test_every_hop_is_in_the_trace_that_the_answer_named(spans: list[Told]) -> None:
    assert WHOLE_WAY - {one.name for one in spans} == set()
    assert {one.service for one in spans} >= {"gateway", "intake", "routing", "billing", "notifications"}


def test_each_span_but_the_request_has_its_parent_in_the_trace(spans: list[Told]) -> None:
    known = {one.span_id for one in spans}
    assert [one.name for one in spans if one.parent_id not in known] == ["POST /v1/documents"]


def test_effects_hang_under_what_caused_them(spans: list[Told]) -> None:
    by_id = {one.span_id: one for one in spans}
    by_name = {one.name: one for one in spans}
    chain = [by_name["intake hears portolan.routing.v1.CaseOpened"]]
    while chain[-1].parent_id in by_id:
        chain.append(by_id[chain[-1].parent_id])
    assert [one.name for one in chain] == [
        "intake hears portolan.routing.v1.CaseOpened",
        "routing hears portolan.intake.v1.DocumentSubmitted",
        "submit document",
        "POST /v1/documents",
    ]
    assert all(not one.failure for one in spans)
