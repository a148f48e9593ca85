"""The timeline as server-sent events: every item once, from anywhere on, as long as the caller may see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from gateway.routes import timeline_stream
from kit.testing import TokenMint, a_principal

from tests.gateway.house import House, a_house

PATH = "/v1/documents/d-1/timeline/stream"
PATIENCE_S = 10.0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


@dataclass
class Reader:
    """What came so far."""

    seqs: list[int] = field(default_factory=list)
    comments: int = 0
    ended_with: str = ""
    is_over: bool = False
    task: asyncio.Task[None] | None = None

    async def read(self, answer: httpx.Response) -> None:
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                self.seqs.append(int(value))
            elif name == "":
                self.comments += bool(line)
            elif name == "data" and "code" in value:
                self.ended_with = value
        self.is_over = True

    async def until_seen(self, count: int) -> None:
        await until(lambda: len(self.seqs) >= count)

    async def until_over(self) -> None:
        await until(lambda: self.is_over)


@asynccontextmanager
async def reading(house: House, after: int | None = None, organisation: str = "org-a") -> AsyncIterator[Reader]:
    headers = house.bearer(principal=a_principal("declarant", organisation_id=organisation))
    if after is not None:
        headers["last-event-id"] = str(after)
    reader = Reader()
    async with house.http.stream("GET", PATH, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        task = asyncio.create_task(reader.read(answer))
        try:
            yield reader
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_several_readers_see_every_item_once_and_in_order(house: House) -> None:
    house.services.intake.goes_on = True
    async with reading(house) as one, reading(house, organisation="org-b") as two, reading(house, after=2) as three:
        await one.until_seen(2)
        for _ in range(20):
            house.services.intake.timeline += 1
            await asyncio.sleep(0.002)
        for reader in (one, two):
            await reader.until_seen(22)
            assert reader.seqs == list(range(1, 23))
        await three.until_seen(20)
        assert three.seqs == list(range(3, 23))


async def test_a_reader_who_comes_again_goes_on_from_the_middle(house: House) -> None:
    house.services.intake.goes_on = True
    seen: list[int] = []
    for total in (2, 7, 11):
        house.services.intake.timeline = total
        async with reading(house, after=seen[-1] if seen else None) as reader:
            await reader.until_seen(total - len(seen))
            seen += reader.seqs
    assert seen == list(range(1, 12))


@pytest.mark.parametrize("last", ["-1", "abc", "1.5", "9" * 12])
async def test_an_event_id_that_is_none_of_ours_is_refused(house: House, last: str) -> None:
    answer = await house.http.get(PATH, headers={**house.bearer("declarant"), "last-event-id": last})
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")


async def test_who_may_not_see_the_document_any_more_is_told_the_end(house: House) -> None:
    async with reading(house) as reader:
        await reader.until_over()
        assert reader.seqs == [1, 2]
        assert "NOT_FOUND" in reader.ended_with


async def test_a_token_that_expires_ends_the_stream(
    house: House, mint: TokenMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.services.intake.goes_on = True
    monkeypatch.setattr(timeline_stream, "WAIT_S", 0.05)
    monkeypatch.setattr("kit.testing.TOKEN_SECONDS", 1)
    monkeypatch.setattr("kit.auth.LEEWAY_S", 0)
    async with reading(house) as reader:
        await reader.until_seen(2)
        await reader.until_over()
        assert "UNAUTHENTICATED" in reader.ended_with


async def test_a_silent_stream_says_that_it_lives(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.services.intake.goes_on = True
    monkeypatch.setattr(timeline_stream, "WAIT_S", 0.05)
    monkeypatch.setattr(timeline_stream, "HEARTBEAT_S", 0.1)
    async with reading(house) as reader:
        await until(lambda: reader.comments >= 3)


async def test_a_stream_outlives_a_restart_of_intake(house: House) -> None:
    house.services.intake.goes_on = True
    async with reading(house) as reader:
        await reader.until_seen(2)
        await house.services.kill("intake")
        await asyncio.sleep(0.2)
        await house.services.start("intake")
        house.services.intake.timeline = 5
        await reader.until_seen(5)
        assert reader.seqs == [1, 2, 3, 4, 5]


async def test_streams_are_few_and_live_for_a_while(mint: TokenMint) -> None:
    async with a_house(mint, streams_max=3, streams_per_client_max=2, stream_life_s=1.0) as house:
        house.services.intake.goes_on = True
        async with reading(house) as one, reading(house):
            mine = await house.http.get(PATH, headers=house.bearer("declarant"))
            assert (mine.status_code, mine.json()["code"]) == (429, "RATE_LIMITED")
            async with reading(house, organisation="org-b"):
                theirs = house.bearer(principal=a_principal("declarant", organisation_id="org-c"))
                full = await house.http.get(PATH, headers=theirs)
                assert (full.status_code, full.json()["code"]) == (503, "OVERLOADED")
            await one.until_over()
        async with reading(house) as again:
            await again.until_seen(2)


async def test_open_streams_do_not_keep_the_process_from_leaving(mint: TokenMint) -> None:
    async with a_house(mint) as house:
        house.services.intake.goes_on = True
        async with reading(house) as reader:
            await reader.until_seen(2)
            began = time.monotonic()
            house.stop.set()
            await house.running
            await reader.until_over()
            assert time.monotonic() - began < 2.0
