"""What every adapter of the bus must do: the suite runs against PostgreSQL's log and against a real Apache Kafka."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from kit import trace
from kit.bus.postgres import PostgresPublisher, PostgresSubscription, prepare
from kit.database import Database
from kit.errors import Unavailable
from kit.testing import create_database

from tests.kit.buses import JOIN_S_MAX, Bus, a_name, a_topic, payloads, read, take

PARTITIONS = 3


@pytest.fixture(params=["postgres", "kafka"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made = await _postgres(request) if request.param == "postgres" else _kafka(request)
    yield made
    await made.publisher.close()


async def _postgres(request: pytest.FixtureRequest) -> Bus:
    url = await create_database(request.getfixturevalue("postgres_url"))
    await prepare(url)
    topic, other = a_name("thing"), a_name("other")
    publisher = PostgresPublisher(await Database.open(url))
    return Bus(publisher, lambda group: PostgresSubscription(url, group, [topic, other]), topic, other, 1)


def _kafka(request: pytest.FixtureRequest) -> Bus:
    bootstrap = request.getfixturevalue("real_servers").kafka.bootstrap
    # Not before it is asked for: the other services' tests do without the client.
    from kit.bus.kafka import KafkaPublisher, KafkaSubscription

    topic, other, suffix = a_name("thing"), a_name("other"), a_name("group")
    publisher = KafkaPublisher(bootstrap, [a_topic(topic, PARTITIONS), a_topic(other, PARTITIONS)])
    return Bus(
        publisher,
        lambda group: KafkaSubscription(bootstrap, f"{group}.{suffix}", [topic, other]),
        topic,
        other,
        PARTITIONS,
    )


async def test_the_bus_says_who_it_is_and_stays_the_same(bus: Bus) -> None:
    first = await bus.publisher.cluster_id()
    await bus.publisher.publish([bus.event()])
    assert first
    assert await bus.publisher.cluster_id() == first


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


async def test_what_is_published_is_read_in_order_and_not_moved_past_until_committed(bus: Bus) -> None:
    events = [bus.event(payload=bytes([number])) for number in range(10)]
    await bus.publisher.publish(events)
    reader = bus.subscribe("a")
    assert payloads(await read(reader, 10)) == payloads(events)
    again = await reader.poll(100, 0)
    assert again == events
    await reader.commit(again)
    assert await reader.poll(100, 0.2) == []
    await reader.close()


async def test_an_event_comes_out_as_it_went_in(bus: Bus) -> None:
    plain = bus.event("حمولة-ñ", b"\x00\xff protobuf")
    traced = replace(bus.event(payload=b""), traceparent=trace.begin())
    await bus.publisher.publish([plain, traced])
    reader = bus.subscribe("a")
    events = await read(reader, 2)
    assert {event.id: event for event in events} == {plain.id: plain, traced.id: traced}
    await reader.close()


async def test_no_more_is_read_than_was_asked_for_and_only_that_is_moved_past(bus: Bus) -> None:
    events = [bus.event(payload=bytes([number])) for number in range(10)]
    await bus.publisher.publish(events)
    reader = bus.subscribe("a")
    await read(reader, 10)
    few = await reader.poll(3, 0)
    assert few == events[:3]
    await reader.commit(few)
    assert await read(reader, 7) == events[3:]
    await reader.close()


async def test_each_group_has_its_own_place_and_it_survives_the_reader(bus: Bus) -> None:
    await bus.publisher.publish([bus.event(payload=b"1"), bus.event(payload=b"2")])
    first = bus.subscribe("a")
    assert len(await take(first, 1, events_max=1)) == 1
    await first.close()
    second, other = bus.subscribe("a"), bus.subscribe("b")
    assert payloads(await read(second, 1)) == [b"2"]
    assert payloads(await read(other, 2)) == [b"1", b"2"]
    await second.close()
    await other.close()


async def test_what_was_not_committed_goes_to_the_next_reader(bus: Bus) -> None:
    events = [bus.event(payload=bytes([number])) for number in range(5)]
    await bus.publisher.publish(events)
    first = bus.subscribe("a")
    assert len(await read(first, 5)) == 5
    await first.close()
    second = bus.subscribe("a")
    assert await read(second, 5) == events
    await second.close()


async def test_no_event_is_with_two_readers_of_a_group_and_a_leaving_one_hands_over(bus: Bus) -> None:
    """Kafka shares the partitions among the readers; PostgreSQL's log gives all to one, and the others wait."""
    first, second = bus.subscribe("a"), bus.subscribe("a")
    await asyncio.gather(first.poll(10, 2), second.poll(10, 2))
    # On both topics, for a reader may be given all partitions of one of them.
    events = [bus.event(f"key-{number}", topic=topic) for number in range(30) for topic in (bus.topic, bus.other)]
    await bus.publisher.publish(events)
    seen, are_shared = {"first": {""}, "second": {""}}, None
    limit = time.monotonic() + JOIN_S_MAX
    while seen["first"] | seen["second"] != {event.id for event in events} or are_shared != (bus.partitions > 1):
        assert time.monotonic() < limit, f"{len(seen['first'])} and {len(seen['second'])} of {len(events)} events"
        answers = await asyncio.gather(first.poll(100, 0.5), second.poll(100, 0.5))
        seen = {name: {event.id for event in had} for name, had in zip(seen, answers, strict=True)}
        assert not seen["first"] & seen["second"]
        are_shared = bool(seen["first"] and seen["second"])
    await first.close()
    assert {event.id for event in await read(second, len(events))} == {event.id for event in events}
    await second.close()


async def test_a_waiting_reader_is_woken(bus: Bus) -> None:
    reader = bus.subscribe("a")
    await bus.publisher.publish([bus.event()])
    await take(reader, 1)
    waiting = asyncio.create_task(reader.poll(10, 5))
    await asyncio.sleep(0.2)
    await bus.publisher.publish([bus.event()])
    assert len(await asyncio.wait_for(waiting, 2)) == 1
    await reader.close()


async def test_a_poll_that_was_given_up_loses_nothing(bus: Bus) -> None:
    await bus.publisher.publish([bus.event()])
    reader = bus.subscribe("a")
    await take(reader, 1)
    given_up = asyncio.create_task(reader.poll(10, 2))
    await asyncio.sleep(0.1)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    event = bus.event()
    await bus.publisher.publish([event])
    assert await read(reader, 1) == [event]
    await reader.close()


async def test_no_event_is_skipped_and_none_overtakes_another_of_its_key(bus: Bus) -> None:
    reader = bus.subscribe("a")
    seen: dict[tuple[str, str], list[bytes]] = defaultdict(list)

    async def publish(topic: str, key: str) -> None:
        for number in range(20):
            await bus.publisher.publish([bus.event(key, bytes([number]), topic)])

    writers = [publish(bus.topic, "a"), publish(bus.topic, "b"), publish(bus.other, "a"), publish(bus.topic, "c")]
    taking = asyncio.create_task(take(reader, 80, events_max=7))
    await asyncio.wait_for(asyncio.gather(*writers), 30)
    for event in await asyncio.wait_for(taking, 30):
        seen[event.topic, event.key].append(event.payload)
    assert [len(numbers) for numbers in seen.values()] == [20] * 4
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    await reader.close()


async def test_closing_twice_is_as_closing_once(bus: Bus) -> None:
    reader = bus.subscribe("a")
    await reader.poll(1, 0)
    await reader.close()
    await reader.close()
    await bus.publisher.close()
