"""A bus that lost its data is refilled from the outbox; a person has it published again. Effects stay as they are."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from kit import clock, operating, outbox, replays
from kit.bus.postgres import PostgresPublisher, prepare
from kit.database import Database
from kit.errors import Invalid, Unavailable
from kit.events import Event
from kit.process import Command
from kit.relay import SESSION_OPTIONS, Relay
from kit.testing import create_database
from portolan.identity.v1 import events_pb2
from prometheus_client import REGISTRY

TOPIC = "tests.thing.v1"
OTHER_TOPIC = "tests.other.v1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Bus:
    """Keeps what is published; can be exchanged, be away, or die after it kept something."""

    def __init__(self) -> None:
        self.id = "first"
        self.events: list[Event] = []
        self.is_away = False
        self.dies_after_publishing = False

    def lose_everything(self, becomes: str) -> None:
        self.id, self.events = becomes, []

    async def cluster_id(self) -> str:
        self._answer()
        return self.id

    async def publish(self, events: Sequence[Event]) -> None:
        self._answer()
        self.events.extend(events)
        if self.dies_after_publishing:
            raise Unavailable("OVERLOADED", "killed before it could say so")

    async def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("OVERLOADED", "the bus does not answer")

    @property
    def said(self) -> list[str]:
        return [events_pb2.ClientRevoked.FromString(event.payload).client_id for event in self.events]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def relay(kit_database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Relay:
    monkeypatch.setattr("kit.relay.CLUSTER_CHECK_S", 0.0)
    return Relay("tests", kit_database, bus)


async def say(database: Database, *clients: str, topic: str = TOPIC) -> None:
    async with database.transaction() as tx:
        for client in clients:
            message = events_pb2.ClientRevoked(client_id=client)
            await outbox.append(tx, topic=topic, key=client[0], message=message)


async def drain(relay: Relay) -> None:
    while await relay.publish_batch():
        pass


async def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def test_a_bus_seen_for_the_first_time_is_not_refilled(kit_database: Database, bus: Bus, relay: Relay) -> None:
    await say(kit_database, "a1", "a2")
    await drain(relay)
    await drain(relay)
    assert bus.said == ["a1", "a2"]
    assert await rows(kit_database, "select id from bus_cluster") == [("first",)]


async def test_an_empty_bus_is_refilled_in_order_before_anything_new(
    kit_database: Database, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.replays.STEP_ROWS_MAX", 3)
    old = [f"{key}{number}" for number in range(5) for key in "ab"]
    await say(kit_database, *old)
    await drain(relay)
    bus.lose_everything("second")
    await say(kit_database, "a5", "b5")
    await drain(relay)
    assert bus.said == [*old, "a5", "b5"]
    assert await rows(kit_database, "select kind, published, finished_at is not null from replays") == [
        ("REFILL", 10, True)
    ]


async def test_a_relay_killed_amid_a_refill_is_gone_on_with_where_it_was(
    kit_database: Database, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.replays.STEP_ROWS_MAX", 2)
    await say(kit_database, "a1", "a2", "a3", "a4", "a5")
    await drain(relay)
    bus.lose_everything("second")
    await say(kit_database, "a6")
    await relay.publish_batch()
    bus.dies_after_publishing = True
    with pytest.raises(Unavailable):
        await relay.publish_batch()
    bus.dies_after_publishing = False
    await drain(Relay("tests", kit_database, bus))
    assert bus.said == ["a1", "a2", "a3", "a4", "a3", "a4", "a5", "a6"]


async def test_a_bus_lost_again_amid_its_refill_is_refilled_from_the_beginning(
    kit_database: Database, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.replays.STEP_ROWS_MAX", 2)
    await say(kit_database, "a1", "a2", "a3", "a4", "a5")
    await drain(relay)
    bus.lose_everything("second")
    await relay.publish_batch()
    bus.lose_everything("third")
    await drain(relay)
    assert bus.said == ["a1", "a2", "a3", "a4", "a5"]
    assert await rows(kit_database, "select published from replays order by requested_at") == [(2,), (5,)]


async def test_what_is_committed_late_is_not_lost_between_refill_and_relay(
    kit_database: Database, bus: Bus, relay: Relay
) -> None:
    await say(kit_database, "a1")
    await drain(relay)
    async with kit_database.transaction() as tx:
        await outbox.append(tx, topic=TOPIC, key="l", message=events_pb2.ClientRevoked(client_id="late"))
        await say(kit_database, "b1")
        await drain(relay)
        bus.lose_everything("second")
        await drain(relay)
    await drain(relay)
    assert bus.said == ["a1", "b1", "late"]


async def test_two_postgres_logs_are_two_buses(kit_database: Database, postgres_url: str) -> None:
    await say(kit_database, "a1", "a2")
    for number in (1, 2):
        url = await create_database(postgres_url)
        await prepare(url)
        publisher = PostgresPublisher(await Database.open(url, size_max=1))
        await drain(Relay("tests", kit_database, publisher))
        await publisher.close()
        log = await Database.open(url, size_max=1)
        assert len(await rows(log, "select 1 from log")) == 2, number
        await log.close()


def oldest_s() -> float:
    value = REGISTRY.get_sample_value("portolan_outbox_oldest_seconds", {"service": "tests"})
    assert value is not None
    return value


async def running(relay: Relay, seconds: float) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await task


@pytest.mark.parametrize("why", ["the bus is away", "another relay has the lock"])
async def test_the_age_of_what_waits_is_told_whatever_it_waits_for(
    why: str, kit_database: Database, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.relay.MEASURE_S", 0.05)
    monkeypatch.setattr("kit.relay.RETRY_S", 0.05)
    long_said = clock.now() - timedelta(hours=1)
    with clock.told_by(lambda: long_said):
        await say(kit_database, "a1")
    async with kit_database.transaction() as tx:
        if why == "the bus is away":
            bus.is_away = True
        else:
            await tx.execute("select pg_advisory_xact_lock(%s)", [0x72656C61])
        await running(relay, 0.4)
        assert 3_600 <= oldest_s() < 3_700
    bus.is_away = False
    await running(Relay("tests", kit_database, bus), 0.4)
    assert bus.said == ["a1"]
    assert oldest_s() == 0


async def a_replay(database: Database, wanted: replays.Wanted, reason: str = "a consumer lost its database") -> str:
    async with database.transaction() as tx:
        return await replays.request(tx, wanted, reason, "an operator")


@pytest.mark.parametrize(
    ("topic", "key", "expected"),
    [
        ("", "", ["a1", "b1", "a2", "b2"]),
        (TOPIC, "", ["a1", "b1", "a2"]),
        (OTHER_TOPIC, "", ["b2"]),
        ("", "b", ["b1", "b2"]),
        (TOPIC, "b", ["b1"]),
    ],
)
async def test_a_replay_publishes_what_was_asked_for_again(
    kit_database: Database, bus: Bus, relay: Relay, topic: str, key: str, expected: list[str]
) -> None:
    before = clock.now() - timedelta(hours=2)
    with clock.told_by(lambda: before):
        await say(kit_database, "too early")
    await say(kit_database, "a1", "b1", "a2")
    await say(kit_database, "b2", topic=OTHER_TOPIC)
    until = clock.now()
    await say(kit_database, "too late")
    await drain(relay)
    bus.events.clear()
    await a_replay(kit_database, replays.Wanted(until - timedelta(hours=1), until, topic, key))
    await drain(relay)
    assert bus.said == expected
    assert await rows(kit_database, "select kind, reason, requested_by, published from replays") == [
        ("REPLAY", "a consumer lost its database", "an operator", len(expected))
    ]


async def test_a_replay_does_not_hold_new_facts_back(
    kit_database: Database, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.replays.STEP_ROWS_MAX", 1)
    await say(kit_database, "a1", "a2", "a3")
    await drain(relay)
    bus.events.clear()
    now = clock.now()
    await a_replay(kit_database, replays.Wanted(now - timedelta(hours=1), now))
    await say(kit_database, "new")
    await relay.publish_batch()
    assert bus.said == ["new", "a1"]
    await drain(relay)
    assert bus.said == ["new", "a1", "a2", "a3"]


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        (timedelta(days=-outbox.KEEP_DAYS - 1), timedelta(0), "why not"),
        (timedelta(hours=-1), timedelta(hours=-2), "why not"),
        (timedelta(hours=-1), timedelta(0), " "),
        (timedelta(hours=-1), timedelta(0), "x" * 501),
    ],
)
async def test_a_replay_that_cannot_be_whole_or_has_no_reason_is_refused(
    kit_database: Database, since: timedelta, until: timedelta, reason: str
) -> None:
    now = clock.now()
    with pytest.raises(Invalid):
        await a_replay(kit_database, replays.Wanted(now + since, now + until), reason)
    assert await rows(kit_database, "select * from replays") == []


@pytest.fixture
async def command(kit_database: Database, bus: Bus) -> Command:
    async def open_publisher() -> Bus:
        return bus

    return operating.commands("tests", kit_database.url, open_publisher)["replay"]


async def test_the_command_publishes_again_without_any_relay_and_says_how_much(
    kit_database: Database,
    bus: Bus,
    relay: Relay,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await say(kit_database, "a1", "a2")
    await drain(relay)
    since = (clock.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await command(["--since", since, "--reason", "a test", "--by", "me"]) == 0
    assert bus.said == ["a1", "a2", "a1", "a2"]
    assert "2 events published again" in capsys.readouterr().out
    assert await rows(kit_database, "select reason, requested_by from replays") == [("a test", "me")]


async def test_the_command_refuses_what_is_kept_no_longer(
    kit_database: Database, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command(["--since", "2020-01-01T00:00:00Z", "--reason", "a test"]) == operating.REFUSED
    assert f"keeps {outbox.KEEP_DAYS} days" in capsys.readouterr().out


async def test_what_waits_is_found_by_its_index_however_much_was_published_since_an_empty_beginning(
    kit_database: Database, bus: Bus
) -> None:
    """A statement prepared on an empty outbox kept its plan: 17 seconds for 500 rows, later."""
    database = await Database.open(kit_database.url, size_max=1, options=SESSION_OPTIONS)
    relay = Relay("tests", database, bus)
    for _ in range(12):
        await relay.publish_batch()
    async with database.connection() as connection:
        await connection.execute(
            """
            insert into outbox (event_id, topic, key, type, payload, traceparent, created_at, published_at)
            select gen_random_uuid(), 't', 'k', 't', '', '', now(), case when n <= 20000 then now() end
            from generate_series(1, 20500) as n
            """
        )
    before = await _rows_read(database)
    assert await relay.publish_batch() == 500
    assert await _rows_read(database) - before < 5_000
    await database.close()


async def _rows_read(database: Database) -> int:
    async with database.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        cursor = await connection.execute(
            "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname like 'outbox%'"
        )
        found = await cursor.fetchall()
    return sum(int(row[0] or 0) for row in found)
