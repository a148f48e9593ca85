"""What /status says with each dependency away, in three languages, at once, and to browsers as a page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from gateway import standing
from gateway.problems import LANGUAGES
from gateway.routes import status as route
from gateway.upstreams import HEALTH_DEADLINE_S, SERVICES
from kit.shared import redis
from kit.testing import TokenMint
from portolan.standing.v1.standing_pb2 import STATE_DEGRADED, STATE_DOWN

from tests.gateway.builders import AT
from tests.gateway.house import House, a_house
from tests.kit.redis_server import RedisServer

# What the machine itself may take beside, with all its cores busy.
SLACK_S = 2.0
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is asked anew, but where a test says otherwise."""
    monkeypatch.setattr(standing, "KEPT_S", 0.0)


async def read(house: House, **headers: str) -> dict[str, Any]:
    answer = await house.http.get("/status", headers=headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def of(shown: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in shown["dependencies"] if one["name"] == name)
    return dict(found)


async def test_when_all_stands_each_dependency_is_named(house: House) -> None:
    shown = await read(house)
    assert (shown["status"], shown["code"], shown["accepts_submissions"]) == ("ok", "ACCEPTING", True)
    names = {one["name"] for one in shown["dependencies"]}
    assert names == {name for service in SERVICES for name in (service, *(f"{service}.{part}" for part in PARTS))}
    assert {one["state"] for one in shown["dependencies"]} == {"ok"}
    assert shown["upstreams"] == dict.fromkeys(SERVICES, "up")
    assert of(shown, "billing.bus")["since"] == AT


PARTS = ("database", "bus", "relay", "consumer")


@pytest.mark.parametrize("away", ["routing", "billing", "notifications", "identity"])
async def test_without_a_service_submissions_are_accepted_and_status_says_what_is_away(house: House, away: str) -> None:
    before = datetime.now(UTC)
    await house.services.kill(away)
    shown = await read(house)
    assert (shown["status"], shown["code"], shown["accepts_submissions"]) == ("degraded", "ACCEPTING_DEGRADED", True)
    assert (of(shown, away)["state"], of(shown, away)["code"]) == ("down", "SERVICE_DOWN")
    assert shown["upstreams"][away] == "down"
    assert f"{away}.bus" not in {one["name"] for one in shown["dependencies"]}
    assert (await house.submit(f"status-{away}")).status_code == 201
    since = of(shown, away)["since"]
    assert datetime.fromisoformat(since) >= before
    assert shown["since"] <= since
    assert of(await read(house), away)["since"] == since
    await house.services.start(away)
    async with asyncio.timeout(5):
        while True:
            again = await read(house)
            if again["status"] == "ok":
                break
            await asyncio.sleep(0.05)
    assert of(again, away)["since"] > since


@pytest.mark.parametrize(
    ("part", "state", "code"),
    [
        ("bus", STATE_DOWN, "BUS_DOWN"),
        ("bus", STATE_DEGRADED, "OUTBOX_WAITS"),
        ("consumer", STATE_DOWN, "PROCESS_SILENT"),
        ("relay", STATE_DEGRADED, "PROCESS_WAITS"),
        ("attachments", STATE_DOWN, "ATTACHMENTS_DOWN"),
    ],
)
async def test_what_a_service_misses_degrades_and_submissions_go_on(
    house: House, part: str, state: Any, code: str
) -> None:
    house.services.standing["intake"].tell(part, state, code, 71.24)
    shown = await read(house)
    assert (shown["status"], shown["accepts_submissions"]) == ("degraded", True)
    found = of(shown, f"intake.{part}")
    assert (found["code"], found["age_seconds"]) == (code, 71.2)
    assert found["message"] == route.texts()["codes"][code]["en"]
    assert (await house.submit(f"status-{code}")).status_code == 201


async def test_without_intakes_database_nothing_is_accepted(house: House) -> None:
    house.services.standing["intake"].tell("database", STATE_DOWN, "DATABASE_DOWN")
    shown = await read(house)
    assert (shown["status"], shown["code"], shown["accepts_submissions"]) == ("down", "NOT_ACCEPTING", False)
    house.services.standing["intake"].forget()
    house.services.standing["billing"].tell("database", STATE_DOWN, "DATABASE_DOWN")
    assert (await read(house))["status"] == "degraded"


async def test_without_intake_nothing_is_accepted(house: House) -> None:
    await house.services.kill("intake")
    shown = await read(house)
    assert (shown["status"], shown["accepts_submissions"]) == ("down", False)


async def test_one_slow_service_keeps_nobody_waiting(house: House) -> None:
    house.services.standing["routing"].pause_s = 30.0
    began = time.monotonic()
    shown = await read(house)
    assert time.monotonic() - began < HEALTH_DEADLINE_S + SLACK_S
    assert (of(shown, "routing")["state"], of(shown, "routing")["code"]) == ("degraded", "SERVICE_SLOW")
    assert of(shown, "billing.bus")["state"] == "ok"


async def test_many_who_ask_at_once_are_one_question_for_a_named_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "KEPT_S", 30.0)
    await read(house)
    house.services.standing["billing"].asked = 0
    await asyncio.gather(*(read(house) for _ in range(50)))
    assert house.services.standing["billing"].asked == 0
    monkeypatch.setattr(standing, "KEPT_S", 0.3)
    await asyncio.sleep(0.35)
    await asyncio.gather(*(read(house) for _ in range(10)))
    assert house.services.standing["billing"].asked == 1


async def test_a_service_of_yesterday_stands_all_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.services.kill("routing")
    monkeypatch.setattr(house.services.standing["routing"], "is_known", False)
    await house.services.start("routing")
    async with asyncio.timeout(5):
        while True:
            shown = await read(house)
            if of(shown, "routing")["state"] == "ok":
                break
            await asyncio.sleep(0.05)
    assert "routing.bus" not in {one["name"] for one in shown["dependencies"]}
    await house.services.kill("routing")


async def test_a_code_of_tomorrow_is_shown_with_what_its_state_means(house: House) -> None:
    house.services.standing["intake"].tell("moon", STATE_DEGRADED, "MOON_AWAY")
    found = of(await read(house), "intake.moon")
    assert (found["label"], found["message"]) == ("Intake of documents: moon", "Degraded")


@pytest.mark.parametrize(
    ("language", "said"), [("fr", "Les dépôts"), ("ar", "تقبل"), ("en", "Submissions"), ("es", "Las")]
)
async def test_sentences_are_in_the_callers_language(house: House, language: str, said: str) -> None:
    await house.services.kill("billing")
    shown = await read(house, **{"accept-language": language})
    assert said in shown["message"]
    assert of(shown, "billing")["message"] == route.texts()["codes"]["SERVICE_DOWN"][language]


@pytest.mark.parametrize(("language", "direction"), [("fr", "ltr"), ("ar", "rtl"), ("en", "ltr")])
async def test_a_browser_gets_a_page(house: House, language: str, direction: str) -> None:
    house.services.standing["intake"].tell("<script>", STATE_DOWN, "BUS_DOWN", 12.0)
    answer = await house.http.get("/status", headers={"accept": BROWSER, "accept-language": language})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "Accept," in answer.headers["vary"]
    page = answer.text
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert route.texts()["codes"]["BUS_DOWN"][language].replace("'", "&#x27;") in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "$" not in page


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, text/html", "text/html;q=oops"])
async def test_programs_get_json(house: House, accept: str) -> None:
    answer = await house.http.get("/status", headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"


def test_every_sentence_is_there_in_every_language() -> None:
    for kind, entries in route.texts().items():
        for name, labels in entries.items():
            assert set(labels) == set(LANGUAGES), (kind, name)
            assert all(labels.values()), (kind, name)


@pytest.fixture
async def with_redis(
    mint: TokenMint, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(redis, "TIMEOUT_MS", 5_000)
    async with a_house(mint, redis_url=redis_server.url) as found:
        yield found


async def eventually(house: House, name: str, code: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            shown = await read(house)
            if of(shown, name)["code"] == code:
                return shown
            await asyncio.sleep(0.05)


async def test_without_redis_the_status_is_degraded_and_everything_works(
    with_redis: House, redis_server: RedisServer
) -> None:
    assert (await eventually(with_redis, "redis", "OK"))["status"] == "ok"
    redis_server.kill9()
    shown = await eventually(with_redis, "redis", "REDIS_AWAY")
    assert (shown["status"], shown["accepts_submissions"]) == ("degraded", True)
    assert of(shown, "redis")["state"] == "degraded"
    assert (await with_redis.submit("without-redis")).status_code == 201
    redis_server.start()
    again = await eventually(with_redis, "redis", "OK")
    assert again["status"] == "ok"
    assert of(again, "redis")["since"] > of(shown, "redis")["since"]
