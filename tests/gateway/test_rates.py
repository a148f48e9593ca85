"""One limit for all gateways, asked for in bulk; and what becomes of it when Redis is killed, frozen or flushed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from gateway import rates
from gateway.rates import LEASES_PER_WINDOW, SUBMISSIONS, Rates
from gateway.settings import GatewaySettings
from kit import service
from kit.errors import Busy
from kit.shared import Grant, Shared, redis
from kit.shared.inprocess import InProcess
from kit.testing import TokenMint

from tests.gateway.house import House, a_house
from tests.kit.redis_server import SLACK_S, RedisServer

LIMIT = 1_000


pytestmark = pytest.mark.usefixtures("patient_with_redis")


class Counted(InProcess):
    """The port, and how often it was asked."""

    asked = 0

    async def take(self, key: str, *, need: int, want: int, limit: int, window_ms: int) -> Grant:
        self.asked += 1
        await asyncio.sleep(0.001)
        return await super().take(key, need=need, want=want, limit=limit, window_ms=window_ms)


async def allowed(gateways: Sequence[Rates], tries: int, cost: int = 1, who: str = "c") -> Counter[bool]:
    async def one(gateway: Rates) -> bool:
        try:
            await gateway.take(SUBMISSIONS, who, cost)
        except Busy:
            return False
        return True

    return Counter(await asyncio.gather(*(one(gateways[number % len(gateways)]) for number in range(tries))))


def of(shared: Shared, limit: int = LIMIT) -> Rates:
    return Rates(GatewaySettings(submissions_per_minute=limit), shared)


async def test_two_gateways_that_share_a_count_allow_the_limit_together() -> None:
    counted = Counted()
    two = [of(counted), of(counted)]
    for _ in range(30):
        await allowed(two, 20)
    assert counted.asked <= 2 * 600 / (LIMIT // LEASES_PER_WINDOW)
    found = await allowed(two, 2 * LIMIT)
    granted = 600 + found[True]
    assert LIMIT * (1 - 2 / LEASES_PER_WINDOW) <= granted <= LIMIT


async def test_whoever_waits_at_the_same_moment_shares_one_question() -> None:
    counted = Counted()
    assert (await allowed([of(counted)], 300))[True] == 300
    assert counted.asked == 2


async def test_who_is_refused_asks_nobody_again_before_the_window_ends() -> None:
    counted = Counted()
    gateway = of(counted, 5)
    await allowed([gateway], 6)
    asked = counted.asked
    assert (await allowed([gateway], 500))[False] == 500
    assert counted.asked == asked
    assert (await allowed([gateway], 1, who="another"))[True] == 1


async def test_a_batch_too_large_for_what_is_left_leaves_it_to_others() -> None:
    gateway = of(Counted(), 100)
    assert (await allowed([gateway], 1, cost=70))[True] == 1
    assert (await allowed([gateway], 1, cost=40))[False] == 1
    assert (await allowed([gateway], 40))[True] == 30
    assert (await allowed([gateway], 1, cost=101, who="another"))[False] == 1


async def test_another_window_begins_with_the_whole_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "WINDOW_S", 0.3)
    gateway = of(InProcess(), 50)
    assert (await allowed([gateway], 60))[True] == 50
    await asyncio.sleep(0.35)
    assert (await allowed([gateway], 60))[True] == 50


async def test_the_callers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "LEASES_MAX", 10)
    gateway = of(InProcess())
    for number in range(50):
        await allowed([gateway], 1, who=str(number))
    assert len(gateway._leases) == 10


@pytest.fixture
async def two_houses(mint: TokenMint, redis_server: RedisServer) -> AsyncIterator[list[House]]:
    shared = {"redis_url": redis_server.url, "submissions_per_minute": 40}
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(a_house(mint, **shared)) for _ in range(2)]


async def statuses(houses: Sequence[House], tries: int) -> Counter[int]:
    answers = [await houses[number % len(houses)].submit(f"k-{number}") for number in range(tries)]
    for answer in answers:
        if answer.status_code == 429:
            assert answer.headers["ratelimit-policy"] == '"submissions";q=40;w=60'
            assert 1 <= int(answer.headers["retry-after"]) <= 60
    return Counter(answer.status_code for answer in answers)


async def test_two_real_gateways_share_one_limit_through_redis(
    two_houses: list[House], redis_server: RedisServer
) -> None:
    """Below a hundred a minute there is nothing to take in bulk, so that the limit is kept to the last one."""
    assert await statuses(two_houses, 60) == {201: 40, 429: 20}
    keys = redis_server.ask("EVAL \"return table.concat(redis.call('KEYS', 'portolan:1:rate:*'), ' ')\" 0")
    assert b"person" not in keys
    assert b"127.0.0.1" not in keys


async def test_redis_killed_or_flushed_under_requests_is_no_failure_and_bounds_hold(
    two_houses: list[House], redis_server: RedisServer
) -> None:
    """Alone each allows its half: together no more than the limit again. Nobody sees a 5xx."""
    assert await statuses(two_houses, 10) == {201: 10}
    redis_server.kill9()
    found = await statuses(two_houses, 60)
    assert set(found) <= {201, 429}
    assert found[201] <= 40
    assert found[201] >= 20
    redis_server.start()
    redis_server.ask("FLUSHALL")
    assert set(await statuses(two_houses, 60)) <= {201, 429}


async def test_redis_frozen_delays_no_request_by_more_than_its_timeout(
    two_houses: list[House], redis_server: RedisServer
) -> None:
    redis_server.pause()
    took = []
    for number in range(30):
        began = time.monotonic()
        assert (await two_houses[number % 2].submit(f"f-{number}")).status_code == 201
        took.append(time.monotonic() - began)
    assert max(took) < redis.TIMEOUT_MS / 1000 + SLACK_S
    assert sorted(took)[len(took) // 2] < SLACK_S / 2


async def test_guessers_are_stopped_by_all_gateways_together(mint: TokenMint, redis_server: RedisServer) -> None:
    settings = GatewaySettings(redis_url=redis_server.url, sign_in_failures_per_minute=3)
    shared = [service.shared(settings), service.shared(settings)]
    first, second = (Rates(settings, one) for one in shared)
    for gateway in (first, second, first):
        await gateway.refuse_guessers("a@b.example|10.0.0.1")
        await gateway.sign_in_failed("a@b.example|10.0.0.1")
    for gateway in (first, second):
        with pytest.raises(Busy):
            await gateway.refuse_guessers("a@b.example|10.0.0.1")
    await second.refuse_guessers("c@d.example|10.0.0.1")
    for one in shared:
        await one.close()
