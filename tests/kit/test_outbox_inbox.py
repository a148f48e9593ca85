"""From a transaction's outbox to an effect that happens once, whatever repeats or breaks between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from google.protobuf.message import Message
from kit import inbox, outbox, trace
from kit.bus.postgres import PostgresPublisher, PostgresSubscription, prepare
from kit.consumer import Consumer, Heard, Together, TooManyDead, in_its_trace
from kit.database import Database, Tx
from kit.errors import Unavailable
from kit.events import Event
from kit.relay import Relay
from kit.testing import create_database
from portolan.identity.v1 import events_pb2

TOPIC = "tests.thing.v1"
SAID = events_pb2.ClientRevoked


@pytest.fixture
async def bus_url(postgres_url: str) -> str:
    url = await create_database(postgres_url)
    await prepare(url)
    return url


@pytest.fixture
async def relay(kit_database: Database, bus_url: str) -> AsyncIterator[Relay]:
    publisher = PostgresPublisher(await Database.open(bus_url, size_max=2))
    yield Relay("tests", kit_database, publisher)
    await publisher.close()


async def say(database: Database, *clients: str) -> None:
    async with database.transaction() as tx:
        for client in clients:
            await outbox.append(tx, topic=TOPIC, key=client, message=SAID(client_id=client))


async def effects(database: Database) -> list[str]:
    async with database.connection() as connection:
        rows = await (await connection.execute("select client from effects order by n")).fetchall()
    return [row[0] for row in rows]


Consumers = Callable[[Sequence[Exception]], Consumer]


@pytest.fixture
async def a_consumer(kit_database: Database, bus_url: str) -> AsyncIterator[Consumers]:
    """A consumer that writes one row an event, and fails as often as told when it meets "bad"."""
    subscription = PostgresSubscription(bus_url, "tests", [TOPIC])

    def consumer(fail: Sequence[Exception]) -> Consumer:
        failures = list(fail)

        async def effect(tx: Tx, event: Event, message: Message) -> None:
            assert isinstance(message, SAID)
            await tx.execute("insert into effects (client) values (%s)", [message.client_id])
            if failures and message.client_id == "bad":
                raise failures.pop(0)

        return Consumer(kit_database, subscription, "tests", {SAID: effect})

    yield consumer
    await subscription.close()


@pytest.fixture
async def effect_table(kit_database: Database) -> None:
    async with kit_database.connection() as connection:
        await connection.execute("create table effects (n bigint generated always as identity, client text)")


async def test_a_fact_said_in_a_rolled_back_transaction_is_never_published(
    kit_database: Database, relay: Relay
) -> None:
    async def doomed() -> None:
        async with kit_database.transaction() as tx:
            await outbox.append(tx, topic=TOPIC, key="a", message=SAID(client_id="a"))
            raise RuntimeError("killed before commit")

    with pytest.raises(RuntimeError):
        await doomed()
    assert await relay.publish_batch() == 0


@pytest.mark.usefixtures("effect_table")
async def test_a_relay_killed_between_publishing_and_marking_doubles_the_event_but_not_its_effect(
    kit_database: Database, relay: Relay, a_consumer: Consumers
) -> None:
    await say(kit_database, "a", "b")
    assert await relay.publish_batch() == 2
    async with kit_database.transaction() as tx:
        await tx.execute("update outbox set published_at = null")
    assert await relay.publish_batch() == 2
    consumer = a_consumer([])
    assert await consumer.step(0) == 4
    assert await effects(kit_database) == ["a", "b"]


@pytest.mark.usefixtures("effect_table")
async def test_a_batch_by_key_locks_in_the_order_of_its_keys_and_keeps_each_keys_own(
    kit_database: Database, bus_url: str, relay: Relay
) -> None:
    """Batches that locked as the events happened to come met others in a ring."""
    await say(kit_database, "b", "a", "c", "b", "a")
    await relay.publish_batch()
    seen: list[tuple[str, str]] = []

    async def effect(tx: Tx, event: Event, message: Message) -> None:
        seen.append((event.key, event.id))

    subscription = PostgresSubscription(bus_url, "sorted", [TOPIC])
    assert await Consumer(kit_database, subscription, "sorted", {SAID: effect}, by_key=True).step(0) == 5
    await subscription.close()
    assert [key for key, _ in seen] == ["a", "a", "b", "b", "c"]
    assert seen == sorted(seen)


@pytest.mark.usefixtures("effect_table")
async def test_an_effect_that_fails_leaves_no_trace_and_its_neighbours_keep_theirs(
    kit_database: Database, relay: Relay, a_consumer: Consumers
) -> None:
    await say(kit_database, "a", "bad", "c")
    await relay.publish_batch()
    consumer = a_consumer([ValueError("once")])
    await consumer.step(0)
    assert await effects(kit_database) == ["a", "bad", "c"]


@pytest.mark.usefixtures("effect_table")
async def test_a_server_that_is_away_is_waited_for_and_nothing_is_buried(
    kit_database: Database, relay: Relay, a_consumer: Consumers
) -> None:
    await say(kit_database, "bad")
    await relay.publish_batch()
    consumer = a_consumer([Unavailable("OVERLOADED")])
    with pytest.raises(Unavailable):
        await consumer.step(0)
    assert await effects(kit_database) == []
    await consumer.step(0)
    assert await effects(kit_database) == ["bad"]


@pytest.mark.usefixtures("effect_table")
async def test_a_poison_event_is_buried_with_its_reason(
    kit_database: Database, relay: Relay, a_consumer: Consumers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0.0)
    await say(kit_database, "bad", "c")
    await relay.publish_batch()
    consumer = a_consumer([ValueError("never")] * 10)
    await consumer.step(0)
    assert await effects(kit_database) == ["c"]
    async with kit_database.connection() as connection:
        rows = await (await connection.execute("select reason from dead_letters")).fetchall()
    assert len(rows) == 1
    assert "never" in rows[0][0]


@pytest.mark.usefixtures("effect_table")
async def test_too_many_poison_events_in_a_row_stop_the_consumer(
    kit_database: Database, relay: Relay, a_consumer: Consumers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0.0)
    await say(kit_database, *["bad"] * 30)
    await relay.publish_batch()
    consumer = a_consumer([ValueError("a bad release")] * 1000)
    with pytest.raises(TooManyDead):
        await consumer.step(0)


async def test_two_relays_do_not_publish_at_once(kit_database: Database, relay: Relay) -> None:
    await say(kit_database, *[str(number) for number in range(20)])
    published = await asyncio.gather(relay.publish_batch(), relay.publish_batch())
    assert sorted(published) == [0, 20]


async def test_the_inbox_names_only_what_is_new(kit_database: Database) -> None:
    ids = ["0198c000-0000-7000-8000-000000000001", "0198c000-0000-7000-8000-000000000002"]
    async with kit_database.transaction() as tx:
        assert await inbox.once(tx, "c", ids[:1]) == {ids[0]}
    async with kit_database.transaction() as tx:
        assert await inbox.once(tx, "c", ids) == {ids[1]}
        assert await inbox.once(tx, "other", ids) == set(ids)


@pytest.mark.usefixtures("effect_table")
async def test_one_poison_event_beside_one_that_waits_is_not_counted_as_many(
    kit_database: Database, relay: Relay, bus_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbour made the batch come again and again, and the consumer stopped for one dead event met 21 times."""
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0.0)
    met: list[str] = []

    async def effect(tx: Tx, event: Event, message: Message) -> None:
        assert isinstance(message, SAID)
        met.append(message.client_id)
        raise ValueError("never") if message.client_id == "bad" else Unavailable("OVERLOADED")

    await say(kit_database, "bad", "waits")
    await relay.publish_batch()
    subscription = PostgresSubscription(bus_url, "tests", [TOPIC])
    consumer = Consumer(kit_database, subscription, "tests", {SAID: effect})
    for _ in range(30):
        with pytest.raises(Unavailable):
            await consumer.step(0)
    await subscription.close()
    assert met.count("bad") < 10


async def test_what_was_published_long_ago_is_forgotten_however_much_it_is(
    kit_database: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch every ten minutes was all that ever went: the table grew faster."""
    monkeypatch.setattr("kit.relay.FORGET_BATCH_MAX", 2)
    await say(kit_database, *[str(number) for number in range(7)])
    await relay.publish_batch()
    async with kit_database.connection() as connection:
        await connection.execute("update outbox set published_at = now() - interval '15 days' where key <> '6'")
    await relay.forget_old()
    async with kit_database.connection() as connection:
        rows = await (await connection.execute("select key from outbox")).fetchall()
    assert rows == [("6",)]


async def test_events_that_are_handled_together_are_one_effect_and_one_by_one_when_it_fails(
    kit_database: Database, bus_url: str, relay: Relay, effect_table: None
) -> None:
    met: list[list[str]] = []
    traces: set[str] = set()

    async def effect(tx: Tx, heard: Sequence[Heard]) -> None:
        met.append([message.client_id for _, message in heard])
        traces.update(event.traceparent for event, _ in heard)
        for event, message in in_its_trace(heard):
            assert trace.current() == event.traceparent
            await tx.execute("insert into effects (client) values (%s)", [message.client_id])
        if len(heard) > 1 and "bad" in met[-1]:
            raise ValueError("too many")

    subscription = PostgresSubscription(bus_url, "tests", [TOPIC])
    consumer = Consumer(kit_database, subscription, "tests", {SAID: Together(effect)})
    for clients in (["a", "b"], ["c", "bad", "d"]):
        await say(kit_database, *clients)
        await relay.publish_batch()
        await consumer.step(0)
    await subscription.close()
    assert met == [["a", "b"], ["c", "bad", "d"], ["c"], ["bad"], ["d"]]
    assert await effects(kit_database) == ["a", "b", "c", "bad", "d"]
    assert all(map(trace.is_valid, traces))
