"""What every adapter of the port must do, and what nobody notices when Redis is killed, frozen, flushed or full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from kit import telemetry
from kit.service import shared as chosen
from kit.settings import ServiceSettings
from kit.shared import VALUE_BYTES_MAX, Away, Listener, Shared, inprocess, opaque, redis
from kit.shared.inprocess import InProcess
from kit.shared.redis import RedisShared
from kit.shared.sturdy import PROBE_EVERY_S, Sturdy

from tests.kit.redis_server import SLACK_S, RedisServer

pytestmark = pytest.mark.usefixtures("patient_with_redis")


@pytest.fixture(params=["in process", "redis", "sturdy"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[Shared]:
    if request.param == "in process":
        made: Shared = InProcess()
    else:
        url = request.getfixturevalue("redis_server").url
        made = RedisShared(url) if request.param == "redis" else Sturdy(RedisShared(url), 2)
    yield made
    await made.close()


async def take(shared: Shared, want: int, *, need: int = 1, limit: int = 10, window_ms: int = 60_000) -> int:
    return (await shared.take("k", need=need, want=want, limit=limit, window_ms=window_ms)).granted


async def test_all_takers_together_get_the_limit_and_no_more(shared: Shared) -> None:
    grants = await asyncio.gather(*(take(shared, 3) for _ in range(6)))
    assert sorted(grants) == [0, 0, 1, 3, 3, 3]


async def test_less_than_what_is_needed_is_not_taken(shared: Shared) -> None:
    assert await take(shared, 8) == 8
    assert await take(shared, 5, need=3) == 0
    assert await take(shared, 5, need=2) == 2


async def test_looking_takes_nothing(shared: Shared) -> None:
    await take(shared, 4)
    looked = [await shared.take("k", need=0, want=0, limit=10, window_ms=60_000) for _ in range(3)]
    assert [(grant.granted, grant.left) for grant in looked] == [(0, 6)] * 3


async def test_a_window_says_when_it_ends_and_then_another_begins(shared: Shared) -> None:
    first = await shared.take("k", need=1, want=10, limit=10, window_ms=300)
    assert (first.granted, first.left) == (10, 0)
    assert 0 < first.expires_in_ms <= 300
    refused = await shared.take("k", need=1, want=1, limit=10, window_ms=300)
    assert refused.granted == 0
    assert refused.expires_in_ms <= first.expires_in_ms
    await asyncio.sleep(refused.expires_in_ms / 1000 + 0.05)
    assert await take(shared, 10, window_ms=300) == 10


async def test_an_answer_is_kept_for_its_time(shared: Shared) -> None:
    assert await shared.get("a") is None
    await shared.put("a", b"\x00one", 0.2)
    assert await shared.get("a") == b"\x00one"
    await asyncio.sleep(0.25)
    assert await shared.get("a") is None
    await shared.put("a", b"x" * (VALUE_BYTES_MAX + 1), 60)
    assert await shared.get("a") is None


async def test_words_reach_whoever_listens(shared: Shared) -> None:
    await shared.say("c", ["nobody hears this"])
    async with shared.hear("c") as words, shared.hear("c") as others:
        await shared.say("other", ["not this"])
        await shared.say("c", [f"w{number}" for number in range(1200)])
        heard = [await anext(words) for _ in range(1200)]
        assert heard == [f"w{number}" for number in range(1200)]
        assert await anext(others) == "w0"


async def test_what_is_kept_in_process_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inprocess, "KEYS_MAX", 3)
    alone = InProcess()
    for number in range(10):
        await alone.put(f"a{number}", b"", 60)
        await alone.take(f"k{number}", need=1, want=1, limit=1, window_ms=60_000)
    assert [await alone.get(f"a{number}") for number in (6, 7, 9)] == [None, b"", b""]
    assert len(alone._windows) == 3


def test_a_key_tells_nobody_whom_it_stands_for() -> None:
    name = opaque("secret", "person@example.org|10.0.0.1")
    assert "example" not in name
    assert name == opaque("secret", "person@example.org|10.0.0.1")
    assert name != opaque("another", "person@example.org|10.0.0.1")


def test_without_an_address_each_process_is_alone() -> None:
    assert isinstance(chosen(ServiceSettings()), InProcess)


@pytest.fixture
async def alive(redis_server: RedisServer) -> AsyncIterator[Sturdy]:
    made = chosen(ServiceSettings(redis_url=redis_server.url), sharers=2)
    assert isinstance(made, Sturdy)
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    yield made
    stop.set()
    await running
    await made.close()


async def until(is_so: Any, within_s: float = 10 * PROBE_EVERY_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.02)


async def took(*work: Any) -> float:
    began = time.monotonic()
    await asyncio.gather(*work)
    return time.monotonic() - began


async def _in_turn(alive: Sturdy, times: int) -> None:
    for _ in range(times):
        await alive.get("a")


def gauge() -> float:
    return float(telemetry.REDIS_AWAY._value.get())


async def test_killed_and_started_again_under_requests(alive: Sturdy, redis_server: RedisServer) -> None:
    await alive.put("a", b"1", 60)
    with structlog.testing.capture_logs() as said:
        redis_server.kill9()
        for _ in range(50):
            assert await took(take(alive, 1, limit=1000), alive.get("a"), alive.say("c", ["w"])) < SLACK_S
        assert alive.is_away
        assert gauge() == 1
        redis_server.start()
        await until(lambda: not alive.is_away)
        assert gauge() == 0
        assert await alive.get("a") is None
        await alive.put("a", b"2", 60)
        assert await alive.get("a") == b"2"
    assert [one["event"] for one in said] == ["redis_away", "redis_back"]


async def test_frozen_it_costs_those_who_ask_at_that_moment_the_timeout_once(
    alive: Sturdy, redis_server: RedisServer
) -> None:
    await alive.put("a", b"1", 60)
    redis_server.pause()
    assert await took(*(take(alive, 1) for _ in range(200))) < redis.TIMEOUT_MS / 1000 + SLACK_S
    assert alive.is_away
    assert await took(_in_turn(alive, 200)) < 200 * redis.TIMEOUT_MS / 1000 / 4
    redis_server.resume()
    await until(lambda: not alive.is_away)
    assert await alive.get("a") == b"1"


async def test_frozen_while_nobody_asks_it_is_noticed_all_the_same(alive: Sturdy, redis_server: RedisServer) -> None:
    redis_server.pause()
    await until(lambda: alive.is_away)
    assert await took(take(alive, 1)) < SLACK_S


async def test_alone_each_allows_its_part(alive: Sturdy, redis_server: RedisServer) -> None:
    assert await take(alive, 4) == 4
    redis_server.kill9()
    assert [await take(alive, 10), await take(alive, 10)] == [5, 0]
    assert await take(alive, 10, limit=1) == 0


async def test_flushed_it_counts_anew_and_remembers_nothing(alive: Sturdy, redis_server: RedisServer) -> None:
    assert await take(alive, 10) == 10
    await alive.put("a", b"1", 60)
    assert redis_server.ask("FLUSHALL") == b"+OK"
    assert redis_server.ask("SCRIPT FLUSH") == b"+OK"
    assert await alive.get("a") is None
    assert [await take(alive, 6), await take(alive, 6)] == [6, 4]
    assert not alive.is_away


async def test_a_server_that_takes_nothing_more_is_as_good_as_none(alive: Sturdy, redis_server: RedisServer) -> None:
    await take(alive, 1)
    with structlog.testing.capture_logs() as said:
        assert redis_server.ask("CONFIG SET maxmemory 1") == b"+OK"
        assert await take(alive, 1) == 1
        await asyncio.sleep(2 * PROBE_EVERY_S)
        assert alive.is_away
        assert redis_server.ask("CONFIG SET maxmemory 0") == b"+OK"
        await until(lambda: not alive.is_away)
    assert [one["event"] for one in said] == ["redis_away", "redis_back"]


async def test_somebody_elses_value_under_our_key_is_survived(alive: Sturdy, redis_server: RedisServer) -> None:
    redis_server.ask(f"LPUSH {redis.PREFIX}k odd")
    redis_server.ask(f"LPUSH {redis.PREFIX}a odd")
    assert await take(alive, 1) == 1
    assert await alive.get("a") is None


async def test_every_key_expires_and_begins_with_our_prefix(alive: Sturdy, redis_server: RedisServer) -> None:
    await take(alive, 1)
    await alive.put("a", b"1", 60)
    await until(lambda: redis_server.ask(f"EXISTS {redis.PREFIX}probe") == b":1")
    for key in ("k", "a", "probe"):
        assert int(redis_server.ask(f"PTTL {redis.PREFIX}{key}")[1:]) > 0
    assert redis_server.ask("DBSIZE") == b":3"


async def test_a_listener_goes_on_listening_when_redis_is_back(alive: Sturdy, redis_server: RedisServer) -> None:
    heard: list[str] = []
    listener = Listener(alive, "c", heard.append)
    running = asyncio.create_task(listener.run())
    await until(lambda: listener.is_hearing)
    await alive.say("c", ["before"])
    await until(lambda: heard == ["before"])
    redis_server.kill9()
    await until(lambda: alive.is_away and not listener.is_hearing)
    redis_server.start()
    await until(lambda: listener.is_hearing)
    await alive.say("c", ["after"])
    await until(lambda: heard == ["before", "after"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_listener_is_not_counted_on_while_redis_is_frozen(alive: Sturdy, redis_server: RedisServer) -> None:
    listener = Listener(alive, "c", lambda _: None)
    running = asyncio.create_task(listener.run())
    await until(lambda: listener.is_hearing)
    redis_server.pause()
    await until(lambda: not listener.is_hearing)
    redis_server.resume()
    await until(lambda: listener.is_hearing)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_redis_by_itself_says_that_it_is_away(redis_server: RedisServer) -> None:
    bare = RedisShared(redis_server.url)
    redis_server.kill9()
    for work in (take(bare, 1), bare.get("a"), bare.put("a", b"", 1), bare.say("c", ["w"])):
        with pytest.raises(Away):
            await work
    with pytest.raises(Away):
        async with bare.hear("c"):
            pass
    await bare.close()
