"""What every adapter of the bus must do. The suite runs against each; today that is PostgreSQL's log."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from kit import clock, ids
from kit.bus import Publisher, Subscription
from kit.bus.postgres import PostgresPublisher, PostgresSubscription, prepare
from kit.database import Database
from kit.errors import Unavailable
from kit.events import Event
from kit.testing import create_database

TOPIC = "tests.thing.v1"
Subscribe = Callable[[str], Subscription]


def an_event(key: str = "k", payload: bytes = b"x", topic: str = TOPIC) -> Event:
    return Event(ids.new_id(), topic, key, "tests.Thing", clock.now(), payload, "")


@pytest.fixture
async def bus(database_url: str) -> AsyncIterator[tuple[Publisher, Subscribe]]:
    await prepare(database_url)
    publisher = PostgresPublisher(await Database.open(database_url))
    yield publisher, lambda group: PostgresSubscription(database_url, group, [TOPIC, "tests.other.v1"])
    await publisher.close()


async def test_the_bus_says_who_it_is_and_stays_the_same(bus: tuple[Publisher, Subscribe]) -> None:
    publisher, _ = bus
    first = await publisher.cluster_id()
    await publisher.publish([an_event()])
    assert first
    assert await publisher.cluster_id() == first


async def test_a_bus_that_lost_its_data_is_another_one(postgres_url: str) -> None:
    seen = set()
    for _ in range(2):
        url = await create_database(postgres_url)
        publisher = PostgresPublisher(await Database.open(url))
        with pytest.raises(Unavailable):
            await publisher.cluster_id()
        await prepare(url)
        seen.add(await publisher.cluster_id())
        await publisher.close()
    assert len(seen) == 2


async def test_what_is_published_is_read_in_order_and_not_moved_past_until_committed(
    bus: tuple[Publisher, Subscribe],
) -> None:
    publisher, subscribe = bus
    events = [an_event(payload=bytes([number])) for number in range(10)]
    await publisher.publish(events)
    reader = subscribe("a")
    assert [event.payload for event in await reader.poll(100, 0)] == [event.payload for event in events]
    again = await reader.poll(100, 0)
    assert again == events
    await reader.commit(again)
    assert await reader.poll(100, 0) == []
    await reader.close()


async def test_each_group_has_its_own_place_and_it_survives_the_reader(bus: tuple[Publisher, Subscribe]) -> None:
    publisher, subscribe = bus
    await publisher.publish([an_event(payload=b"1"), an_event(payload=b"2")])
    first = subscribe("a")
    await first.commit(await first.poll(1, 0))
    await first.close()
    second, other = subscribe("a"), subscribe("b")
    assert [event.payload for event in await second.poll(100, 0)] == [b"2"]
    assert [event.payload for event in await other.poll(100, 0)] == [b"1", b"2"]
    await second.close()
    await other.close()


async def test_two_processes_of_a_group_do_not_read_the_same_events(bus: tuple[Publisher, Subscribe]) -> None:
    publisher, subscribe = bus
    await publisher.publish([an_event()])
    first, second = subscribe("a"), subscribe("a")
    assert len(await first.poll(10, 0)) == 1
    assert await second.poll(10, 0) == []
    await first.close()
    assert len(await second.poll(10, 1)) == 1
    await second.close()


async def test_a_waiting_reader_is_woken(bus: tuple[Publisher, Subscribe]) -> None:
    publisher, subscribe = bus
    reader = subscribe("a")
    waiting = asyncio.create_task(reader.poll(10, 5))
    await asyncio.sleep(0.2)
    await publisher.publish([an_event()])
    assert len(await asyncio.wait_for(waiting, 2)) == 1
    await reader.close()


async def test_no_event_is_skipped_when_many_publish_at_once(bus: tuple[Publisher, Subscribe]) -> None:
    publisher, subscribe = bus
    reader = subscribe("a")
    seen: list[str] = []

    async def publish(topic: str) -> None:
        for _ in range(20):
            await publisher.publish([an_event(topic=topic)])

    async def read() -> None:
        while len(seen) < 80:
            events = await reader.poll(7, 0.5)
            seen.extend(event.id for event in events)
            await reader.commit(events)

    await asyncio.wait_for(asyncio.gather(read(), *(publish(t) for t in (TOPIC, TOPIC, "tests.other.v1", TOPIC))), 30)
    assert len(set(seen)) == 80
    await reader.close()
