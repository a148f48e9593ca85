"""Whatever goes wrong is a problem that a caller can understand, in its language, and that gives nothing away."""

from __future__ import annotations

import pytest
from gateway import problems
from kit import errors

from tests.gateway.house import House

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("kind", [kind for kind in errors.KINDS.values() if kind is not errors.Internal])
async def test_every_refusal_of_a_service_keeps_its_code_and_status(
    house: House, kind: type[errors.PortolanError]
) -> None:
    house.services.intake.refusal = kind("SOME_CODE", "why", facts={"fact": "1"})
    answer = await house.http.get("/v1/documents/d", headers=house.bearer("declarant"))
    problem = answer.json()
    assert answer.status_code == kind.status == problem["status"]
    assert (problem["code"], problem["detail"], problem["fact"]) == ("SOME_CODE", "why", "1")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_our_own_faults_say_nothing_of_themselves(house: House) -> None:
    house.services.intake.refusal = errors.Internal("SECRET", "secret password", facts={"secret": "1"})
    answer = await house.http.get("/v1/documents/d", headers=house.bearer("declarant"))
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL"
    assert "secret" not in answer.text.lower()


async def test_an_excess_says_what_remains_as_a_quantity(house: House) -> None:
    facts = {"remaining": "12.5", "unit": "KGM"}
    house.services.intake.refusal = errors.Refused("QUANTITY_EXCEEDED", facts=facts)
    headers = house.bearer("customs_officer")
    answer = await house.http.post("/v1/documents/d/imputations", json={}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "QUANTITY_EXCEEDED")
    assert answer.json()["remaining"] == {"value": "12.5", "unit": "KGM"}
    assert "unit" not in answer.json()


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("fr-FR,fr;q=0.9", "Introuvable"),
        ("de, ar;q=0.5, en;q=0.1", "غير موجود"),
        ("", "Not found"),
        (";;q=x", "Not found"),
    ],
)
async def test_titles_are_in_the_callers_language(house: House, asked: str, title: str) -> None:
    answer = await house.http.get("/nowhere", headers={"accept-language": asked})
    assert (answer.status_code, answer.json()["title"]) == (404, title)


async def test_the_trace_goes_in_and_out(house: House) -> None:
    answer = await house.http.get("/nowhere", headers={"traceparent": TRACEPARENT})
    assert answer.headers["traceparent"] == TRACEPARENT
    assert answer.json()["trace_id"] == TRACEPARENT[3:35]


@pytest.mark.parametrize(("path", "allow"), [("/v1/documents", "GET, POST"), ("/v1/documents/d:withdraw", "POST")])
async def test_a_method_that_is_not_there_is_405_with_what_is(house: House, path: str, allow: str) -> None:
    answer = await house.http.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"


async def test_a_service_that_is_away_is_503_with_retry_after(house: House) -> None:
    await house.services.kill("routing")
    answer = await house.http.get("/v1/tasks", headers=house.bearer("agency_officer"))
    assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
    assert "retry-after" in answer.headers
    status = await house.http.get("/status")
    assert status.status_code == 200
    assert (status.json()["status"], status.json()["upstreams"]["routing"]) == ("degraded", "down")


async def test_a_time_shorter_than_ours_is_passed_on(house: House) -> None:
    house.services.intake.pause_s = 1.0
    headers = {**house.bearer("declarant"), "x-request-timeout": "0.2"}
    answer = await house.http.get("/v1/documents/d", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
    assert house.services.intake.deadlines[0] < 0.2


@pytest.mark.parametrize("asked", ["nan", "-1", "1e999", "soon"])
async def test_an_absurd_time_is_no_reason_to_fall_over(house: House, asked: str) -> None:
    headers = {**house.bearer("declarant"), "x-request-timeout": asked}
    answer = await house.http.get("/v1/documents/d", headers=headers)
    assert answer.status_code in (200, 503)


def test_every_title_is_there_in_every_language() -> None:
    for code, titles in problems.catalogue().items():
        assert set(titles) == set(problems.LANGUAGES), code
        assert all(titles.values()), code
