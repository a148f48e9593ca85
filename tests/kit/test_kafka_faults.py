"""A broker of its own is killed, wiped and paused under publishers and readers: nothing is lost or out of order."""

import asyncio
import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from kit.bus.kafka import KafkaPublisher, KafkaSubscription, publisher, subscription
from kit.errors import Unavailable
from kit.events import Event
from kit.process import DRAIN_LIMIT_S
from portolan_cli.embedded import ports
from portolan_cli.stack.kafka import Broker, KafkaCluster, archive_classes

from tests import servers
from tests.kit.buses import a_name, a_topic, an_event, payloads, read, take

KEYS = 8
PARTITIONS = 4
AGAIN_S_MAX = 120.0
SLACK_S = 4.0
RETRY_S = 0.2


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    servers.require("kafka")
    archive_classes()
    given: dict[str, int] = {}

    def port_of(name: str) -> int:
        given[name] = given.get(name) or ports.free(frozenset(given.values()))
        return given[name]

    with tempfile.TemporaryDirectory(prefix="portolan-faults-") as home:
        kafka = KafkaCluster(Path(home), 1, port_of, "kafka-faults")
        kafka.start()
        yield kafka
        kafka.stop()


@pytest.fixture
def broker(cluster: KafkaCluster) -> Broker:
    one = cluster.broker(1)
    if not one.is_running:
        one.start()
    return one


class Traffic:
    """A publisher and a reader that go on as relay and consumer do: what fails is tried again."""

    def __init__(self, bootstrap: str) -> None:
        self.topic = a_name("thing")
        self.publisher = KafkaPublisher(bootstrap, [a_topic(self.topic, PARTITIONS)])
        self.reader = KafkaSubscription(bootstrap, a_name("group"), [self.topic])
        self.said: dict[str, Event] = {}
        self.heard: dict[str, Event] = {}
        self.failures = 0

    async def publish(self, number: int) -> None:
        events = [an_event(self.topic, f"key-{key}", number.to_bytes(4)) for key in range(KEYS)]
        self.said |= {event.id: event for event in events}
        await self.insist(events)

    async def insist(self, events: Sequence[Event]) -> None:
        limit = time.monotonic() + AGAIN_S_MAX
        while True:
            try:
                return await self.publisher.publish(events)
            except Unavailable:
                assert time.monotonic() < limit, "the bus did not come back"
                self.failures += 1
                await asyncio.sleep(RETRY_S)

    async def hear(self) -> None:
        """Keeps the first of each event, as an inbox does."""
        with contextlib.suppress(Unavailable):
            events = await self.reader.poll(200, 0.5)
            for event in events:
                self.heard.setdefault(event.id, event)
            await self.reader.commit(events)

    async def hear_all(self) -> None:
        limit = time.monotonic() + AGAIN_S_MAX
        while set(self.heard) != set(self.said):
            assert time.monotonic() < limit, f"{len(self.heard)} of {len(self.said)} events came"
            await self.hear()

    def assert_in_order(self) -> None:
        by_key: dict[str, list[bytes]] = defaultdict(list)
        for event in self.heard.values():
            by_key[event.key].append(event.payload)
        assert len(by_key) == KEYS
        assert all(numbers == sorted(numbers) for numbers in by_key.values())

    async def close(self) -> None:
        await self.reader.close()
        await self.publisher.close()


@pytest.fixture
async def traffic(cluster: KafkaCluster, broker: Broker) -> AsyncIterator[Traffic]:
    made = Traffic(cluster.bootstrap)
    yield made
    await made.close()


async def test_a_broker_killed_in_the_middle_loses_nothing_and_keeps_the_order(
    traffic: Traffic, broker: Broker
) -> None:
    async def write() -> None:
        for number in range(150):
            await traffic.publish(number)
            await asyncio.sleep(0.05)

    async def kill() -> None:
        for _ in range(2):
            await asyncio.sleep(1.5)
            broker.kill9()
            await asyncio.to_thread(broker.start)

    writing = asyncio.gather(write(), kill())
    while not writing.done():
        await traffic.hear()
    await writing
    await traffic.hear_all()
    traffic.assert_in_order()


async def test_a_broker_that_lost_its_data_is_read_from_its_beginning_without_hand_work(
    traffic: Traffic, broker: Broker
) -> None:
    for number in range(5):
        await traffic.publish(number)
    await traffic.hear_all()
    before = await traffic.publisher.cluster_id()
    await asyncio.to_thread(broker.wipe)
    await asyncio.to_thread(broker.start)
    assert await _cluster_id(traffic.publisher) != before
    # More than there were: a reader that kept its old place would begin behind the first of these.
    for number in range(5, 25):
        await traffic.publish(number)
    await traffic.hear_all()
    traffic.assert_in_order()


async def _cluster_id(of: KafkaPublisher) -> str:
    limit = time.monotonic() + AGAIN_S_MAX
    while True:
        try:
            return await of.cluster_id()
        except Unavailable:
            assert time.monotonic() < limit
            await asyncio.sleep(RETRY_S)


async def test_while_the_broker_is_dead_publishing_says_so_in_time_and_works_again_after(
    traffic: Traffic, broker: Broker
) -> None:
    await traffic.publish(0)
    await traffic.hear_all()
    broker.kill9()
    for _ in range(2):  # with the client it had, and without one
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await traffic.publisher.publish([an_event(traffic.topic)])
        assert time.monotonic() - began < publisher.PUBLISH_LIMIT_S + publisher.CLOSE_LIMIT_S + SLACK_S
        with pytest.raises(Unavailable):
            await traffic.publisher.cluster_id()
    await asyncio.to_thread(broker.start)
    await traffic.publish(1)
    await traffic.hear_all()
    traffic.assert_in_order()


async def test_a_reader_begun_while_the_broker_is_dead_says_so_and_reads_when_it_is_back(
    cluster: KafkaCluster, traffic: Traffic, broker: Broker
) -> None:
    await traffic.publish(0)
    broker.kill9()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await traffic.reader.poll(10, 0.5)
    assert time.monotonic() - began < subscription.CONNECT_LIMIT_S + SLACK_S
    await asyncio.to_thread(broker.start)
    await traffic.hear_all()


@pytest.mark.parametrize("fault", ["kill9", "pause"])
async def test_a_process_may_leave_in_time_while_the_broker_does_not_answer(
    cluster: KafkaCluster, broker: Broker, fault: str
) -> None:
    traffic = Traffic(cluster.bootstrap)
    await traffic.publish(0)
    await traffic.hear_all()
    getattr(broker, fault)()
    try:
        reading = asyncio.create_task(traffic.reader.poll(10, 1.0))
        writing = asyncio.create_task(traffic.publisher.publish([an_event(traffic.topic)]))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await traffic.reader.close()
        assert time.monotonic() - began < subscription.CLOSE_LIMIT_S + SLACK_S
        with pytest.raises(Unavailable):
            await writing
        await traffic.publisher.close()
        assert time.monotonic() - began < DRAIN_LIMIT_S
        await asyncio.gather(reading, return_exceptions=True)
    finally:
        if fault == "pause":
            broker.resume()


async def test_a_paused_broker_costs_waiting_and_nothing_else(traffic: Traffic, broker: Broker) -> None:
    await traffic.publish(0)
    await traffic.hear_all()
    broker.pause()
    waking = asyncio.create_task(_resume_after(broker, publisher.PUBLISH_LIMIT_S + 3.0))
    await traffic.publish(1)
    assert traffic.failures > 0
    await waking
    await traffic.publish(2)
    await traffic.hear_all()
    traffic.assert_in_order()


async def _resume_after(broker: Broker, seconds: float) -> None:
    await asyncio.sleep(seconds)
    broker.resume()


async def test_what_follows_a_refused_event_of_its_key_does_not_overtake_it(
    cluster: KafkaCluster, broker: Broker
) -> None:
    """The refused one fills a batch of its own, so that the next one is another batch."""
    topic, bytes_max = a_name("small"), 100_000
    writer = KafkaPublisher(cluster.bootstrap, [a_topic(topic, message_bytes_max=bytes_max)])
    first, last = an_event(topic, payload=b"first"), an_event(topic, payload=b"last")
    with pytest.raises(Unavailable, match="MessageSizeTooLarge"):
        await writer.publish([first, an_event(topic, payload=b"x" * 2 * bytes_max), last])
    after = an_event(topic, payload=b"after")
    await writer.publish([after])
    reader = KafkaSubscription(cluster.bootstrap, a_name("group"), [topic])
    assert payloads(await read(reader, 2)) == [b"first", b"after"]
    await reader.close()
    await writer.close()


async def test_a_reader_that_was_away_too_long_begins_where_it_last_committed(
    cluster: KafkaCluster, traffic: Traffic, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP: the group goes on without it, and what it still held belongs to another."""
    monkeypatch.setattr(subscription, "HANDLING_LIMIT_S", 3.0)
    group = a_name("group")
    slow = KafkaSubscription(cluster.bootstrap, group, [traffic.topic])
    await traffic.publish(0)
    held = await read(slow, KEYS)
    await asyncio.sleep(5.0)
    other = KafkaSubscription(cluster.bootstrap, group, [traffic.topic])
    assert {event.id for event in await take(other, KEYS)} == {event.id for event in held}
    with pytest.raises(Unavailable):
        await slow.commit(held)
    await traffic.publish(1)
    seen: set[str] = set()
    for _ in range(60):
        for reader in (slow, other):
            with contextlib.suppress(Unavailable):
                events = await reader.poll(100, 0.2)
                await reader.commit(events)
                seen |= {event.id for event in events}
        if len(seen) == KEYS:
            break
    assert seen == set(traffic.said) - {event.id for event in held}
    await slow.close()
    await other.close()


async def test_a_reader_that_is_not_taken_into_its_group_says_so_and_is_taken_in_later(
    cluster: KafkaCluster, traffic: Traffic, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group waits for a reader that is busy with its batch; who waits silently could as well be dead."""
    monkeypatch.setattr(subscription, "JOIN_LIMIT_S", 0.5)
    monkeypatch.setattr(subscription, "UNJOINED_LIMIT_S", 2.0)
    group = a_name("group")
    busy, waiting = (KafkaSubscription(cluster.bootstrap, group, [traffic.topic]) for _ in range(2))
    await traffic.publish(0)
    assert len(await take(busy, KEYS)) == KEYS
    with pytest.raises(Unavailable, match="NotJoined"):
        await _poll_often(waiting)
    await busy.close()
    await traffic.publish(1)
    assert len(await take(waiting, KEYS)) == KEYS
    await waiting.close()


async def _poll_often(reader: KafkaSubscription) -> None:
    for _ in range(20):
        await reader.poll(10, 0.5)
