"""Following a timeline: told soon, told once, never of what one may not see, and nobody is kept when we leave."""

import asyncio
import json
import time

import pytest
from intake.actions import following
from intake.actions.following import TimelineWatch, follow
from intake.actions.hearing import Happening
from intake.domain.documents import Item
from kit import clock
from kit.errors import Malformed, NotFound
from kit.shared.sturdy import Sturdy
from portolan.intake.v1 import intake_pb2 as pb

from tests.intake.builders import Window, a_stranger, the_broker, the_importer
from tests.intake.conftest import Face
from tests.kit.redis_server import RedisServer

pytestmark = pytest.mark.service("intake")


async def told(window: Window, document_id: str, count: int) -> None:
    for _ in range(count):
        await window.hear(Happening(document_id, Item("case_opened", clock.now())))


async def waiting(face: Face, document_id: str, after: int, wait_ms: int = 1500) -> pb.WaitTimelineResponse:
    request = pb.WaitTimelineRequest(id=document_id, after_seq=after, wait_ms=wait_ms)
    answer: pb.WaitTimelineResponse = await face.call("WaitTimeline", request, the_importer())
    return answer


async def test_what_there_is_comes_at_once_and_as_the_timeline_shows_it(face: Face) -> None:
    document_id = (await face.window.submit(face.window.submission())).document_id
    answer = await waiting(face, document_id, 0)
    shown = (await face.window.timeline(document_id))["items"]
    assert [json.loads(item.item_json) for item in answer.items] == shown
    assert [item.seq for item in answer.items] == [item["seq"] for item in shown]


async def test_readers_who_wait_are_told_soon_and_miss_nothing(face: Face) -> None:
    document_id = (await face.window.submit(face.window.submission())).document_id
    before = len((await face.window.timeline(document_id))["items"])

    async def reader() -> list[int]:
        seen: list[int] = []
        while len(seen) < 12:
            last = seen[-1] if seen else before
            seen += [item.seq for item in (await waiting(face, document_id, last)).items]
        return seen

    readers = [asyncio.create_task(reader()) for _ in range(5)]
    for _ in range(4):
        await asyncio.sleep(0.1)
        await told(face.window, document_id, 3)
    assert await asyncio.gather(*readers) == [list(range(before + 1, before + 13))] * 5


async def test_no_news_is_an_empty_answer_in_time(face: Face) -> None:
    document_id = (await face.window.submit(face.window.submission())).document_id
    began = time.monotonic()
    assert not (await waiting(face, document_id, 1_000, 300)).items
    assert 0.2 < time.monotonic() - began < 1.0


async def test_a_stranger_may_not_wait(window: Window) -> None:
    document_id = (await window.submit(window.submission())).document_id
    watch = TimelineWatch(window.db)
    with pytest.raises(NotFound):
        await follow(window.db, watch, a_stranger(), document_id, 0, 0)
    with pytest.raises(Malformed):
        await follow(window.db, watch, the_broker(), document_id, -1, 0)


async def test_nobody_is_kept_waiting_when_intake_leaves(window: Window) -> None:
    document_id = (await window.submit(window.submission())).document_id
    watch, stop = TimelineWatch(window.db), asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    waiter = asyncio.create_task(follow(window.db, watch, the_broker(), document_id, 1_000, 15))
    await asyncio.sleep(0.4)
    assert not waiter.done()
    stop.set()
    await running
    async with asyncio.timeout(1):
        assert await waiter == []
        assert await follow(window.db, watch, the_broker(), document_id, 1_000, 15) == []


async def hinted(watch: TimelineWatch) -> None:
    listener = watch._listener
    assert listener is not None
    async with asyncio.timeout(10):
        while True:
            if listener.is_hearing:
                return
            await asyncio.sleep(0.02)


async def test_a_hint_wakes_who_waits_and_nobody_else_asks_meanwhile(
    window: Window, shared: Sturdy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a poll that never comes, the hint alone brings the news."""
    monkeypatch.setattr(following, "LOOK_EVERY_S", 60.0)
    document_id = (await window.submit(window.submission())).document_id
    before = len((await window.timeline(document_id))["items"])
    watch, stop = TimelineWatch(window.db, shared), asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    await hinted(watch)
    waiter = asyncio.create_task(follow(window.db, watch, the_broker(), document_id, before, 15))
    await asyncio.sleep(0.1)
    await told(window, document_id, 1)
    await shared.say(following.HINTS, ["another", "and another"])
    await asyncio.sleep(0.3)
    assert not waiter.done()
    await shared.say(following.HINTS, ["another", document_id])
    async with asyncio.timeout(5):
        assert [seq for seq, _ in await waiter] == [before + 1]
    stop.set()
    await running


async def test_without_redis_the_poll_goes_on(window: Window, shared: Sturdy, redis_server: RedisServer) -> None:
    document_id = (await window.submit(window.submission())).document_id
    before = len((await window.timeline(document_id))["items"])
    watch, stop = TimelineWatch(window.db, shared), asyncio.Event()
    running, alive = asyncio.create_task(watch.run(stop)), asyncio.create_task(shared.run(stop))
    await hinted(watch)
    redis_server.kill9()
    waiter = asyncio.create_task(follow(window.db, watch, the_broker(), document_id, before, 15))
    await asyncio.sleep(0.1)
    await told(window, document_id, 1)
    async with asyncio.timeout(5):
        assert [seq for seq, _ in await waiter] == [before + 1]
    stop.set()
    await asyncio.gather(running, alive)
