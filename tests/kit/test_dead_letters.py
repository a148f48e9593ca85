"""What can never have its effect lies aside, is told, stops a consumer when it is too much, and may be tried again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from google.protobuf.message import Message
from kit import dead, ids, inbox, operating, outbox, release
from kit.bus.postgres import PostgresPublisher, PostgresSubscription, prepare
from kit.consumer import DEAD_IN_A_ROW_MAX, Consumer
from kit.database import Database, Tx
from kit.errors import Invalid, NotFound, Unavailable
from kit.events import Event
from kit.process import Command
from kit.relay import Relay
from kit.testing import create_database
from portolan.bus.v1 import dead_letter_pb2
from portolan.identity.v1 import events_pb2
from prometheus_client import REGISTRY

TOPIC = "tests.thing.v1"
SAID = events_pb2.ClientRevoked


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0.0)
    monkeypatch.setattr("kit.consumer.POLL_WAIT_S", 0.05)
    monkeypatch.setattr("kit.consumer.ATTEMPTS_MAX", 2)
    monkeypatch.setattr("kit.consumer.LOOK_S", 0.05)


@pytest.fixture
async def bus_url(postgres_url: str) -> str:
    url = await create_database(postgres_url)
    await prepare(url)
    return url


class World:
    """A consumer that writes one row an event, except for whom it is told to fail."""

    def __init__(self, database: Database, bus_url: str) -> None:
        self.database = database
        self._bus_url = bus_url
        self.failing: dict[str, Exception] = {}

    async def step(self) -> None:
        consumer = self.consumer()
        await consumer.step(0)
        await self._subscription.close()

    def consumer(self) -> Consumer:
        async def effect(tx: Tx, event: Event, message: Message) -> None:
            assert isinstance(message, SAID)
            await tx.execute("insert into effects (client) values (%s)", [message.client_id])
            if message.client_id in self.failing:
                raise self.failing[message.client_id]

        self._subscription = PostgresSubscription(self._bus_url, "tests", [TOPIC])
        return Consumer(self.database, self._subscription, "tests", {SAID: effect})

    async def say(self, *clients: str) -> None:
        async with self.database.transaction() as tx:
            for client in clients:
                await outbox.append(tx, topic=TOPIC, key=client, message=SAID(client_id=client))
        publisher = PostgresPublisher(await Database.open(self._bus_url, size_max=1))
        while await Relay("tests", self.database, publisher).publish_batch():
            pass
        await publisher.close()

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(query)).fetchall()

    async def effects(self) -> list[object]:
        return [row[0] for row in await self.rows("select client from effects order by n")]

    async def runs_until(self, *reached: Callable[[], Awaitable[bool]]) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(self.consumer().run(stop))
        async with asyncio.timeout(60):
            for one in reached:
                while not await one():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        stop.set()
        await running

    async def stands_still(self) -> bool:
        value = REGISTRY.get_sample_value("portolan_consumer_stopped", {"consumer": "tests"})
        return value == 1 and bool(await self.rows("select 1 from consumer_stops where lifted_at is null"))

    async def has_finished(self) -> bool:
        return bool(await self.rows("select 1 from redrives")) and not await self.rows(
            "select 1 from redrives where finished_at is null"
        )


@pytest.fixture
async def world(kit_database: Database, bus_url: str) -> AsyncIterator[World]:
    async with kit_database.connection() as connection:
        await connection.execute("create table effects (n bigint generated always as identity, client text)")
    yield World(kit_database, bus_url)
    release.is_called("")


@pytest.fixture
def command(kit_database: Database) -> Command:
    async def no_publisher() -> PostgresPublisher:
        raise AssertionError("nothing is published")

    return operating.commands("tests", kit_database.url, no_publisher)["dead"]


NEVER = ValueError("never, \x00 never")


async def one_dead(world: World, client: str = "bad") -> str:
    world.failing[client] = NEVER
    await world.say("good", client)
    await world.step()
    return str((await world.rows("select event_id from dead_letters"))[0][0])


async def test_a_dead_letter_is_told_on_the_topic_of_the_dead_in_the_transaction_that_buries_it(world: World) -> None:
    event_id = await one_dead(world)
    said = await world.rows("select topic, key, type, payload from outbox where topic like '%.dead'")
    assert [row[:3] for row in said] == [("tests.thing.v1.dead", "bad", "portolan.bus.v1.DeadLetter")]
    payload = said[0][3]
    assert isinstance(payload, bytes)
    letter = dead_letter_pb2.DeadLetter.FromString(payload)
    assert (letter.consumer, letter.event_id, letter.topic, letter.key) == ("tests", event_id, TOPIC, "bad")
    assert (letter.type, letter.attempts) == (SAID.DESCRIPTOR.full_name, 2)
    assert SAID.FromString(letter.payload).client_id == "bad"
    assert "never" in letter.reason
    await world.step()
    assert len(await world.rows("select 1 from outbox where topic like '%.dead'")) == 1


async def test_what_cannot_be_read_at_all_is_dead_at_once_and_the_largest_event_can_still_be_told_of(
    world: World,
) -> None:
    largest = b"\xff" * outbox.PAYLOAD_BYTES_MAX
    async with world.database.transaction() as tx:
        await tx.execute(
            "insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)"
            " values (%s, %s, 'k', %s, %s, '', now())",
            [ids.new_id(), TOPIC, SAID.DESCRIPTOR.full_name, largest],
        )
    await world.say("good")
    await world.step()
    assert await world.effects() == ["good"]
    assert await world.rows("select attempts from dead_letters") == [(1,)]
    assert len(await world.rows("select 1 from outbox where topic like '%.dead'")) == 1


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_a_dead_letter_that_is_redriven_has_its_effect_once_and_it_is_on_record_who_wanted_it(
    world: World, command: Command, all_of_them: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    event_id = await one_dead(world)
    world.failing.clear()
    which = ["--all"] if all_of_them else ["--event-id", event_id]
    stop = asyncio.Event()
    running = asyncio.create_task(world.consumer().run(stop))
    assert await command(["redrive", *which, "--reason", "it is mended", "--by", "me"]) == 0
    stop.set()
    await running
    assert "1 had their effect, 0 failed again" in capsys.readouterr().out
    assert await world.effects() == ["good", "bad"]
    assert await world.rows(
        "select requested_by, redrives.reason, redriven_at is not null, succeeded, failed"
        " from redrives join dead_letters on redrive_id = id"
    ) == [("me", "it is mended", True, 1, 0)]
    assert await command(["redrive", *which, "--reason", "again"]) == operating.REFUSED
    await world.step()
    assert await world.effects() == ["good", "bad"]


async def test_what_fails_again_stays_dead_with_its_newer_reason(world: World, command: Command) -> None:
    await one_dead(world)
    world.failing["bad"] = Unavailable("OVERLOADED", "not mended at all")
    await command(["redrive", "--all", "--reason", "hope", "--wait", "0"])
    await world.runs_until(world.has_finished)
    assert await world.effects() == ["good"]
    rows = await world.rows("select reason, attempts, redriven_at from dead_letters")
    assert [(row[1], row[2]) for row in rows] == [(3, None)]
    assert "not mended" in str(rows[0][0])
    assert await world.rows("select succeeded, failed from redrives") == [(0, 1)]


async def test_a_consumer_killed_amid_a_redrive_leaves_each_effect_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the effect and its commit, then between the commit and everything after it."""
    await one_dead(world)
    world.failing.clear()
    async with world.database.transaction() as tx:
        await dead.request(tx, None, "it is mended", "me")
    whole = dead.succeed

    async def killed(tx: Tx, redrive: dead.Redrive, event_id: str) -> None:
        await whole(tx, redrive, event_id)
        raise asyncio.CancelledError

    monkeypatch.setattr("kit.dead.succeed", killed)
    with pytest.raises(asyncio.CancelledError):
        await world.consumer().run(asyncio.Event())
    assert await world.effects() == ["good"]
    monkeypatch.setattr("kit.dead.succeed", whole)
    await world.runs_until(world.has_finished)
    await world.runs_until(world.has_finished)
    assert await world.effects() == ["good", "bad"]


BAD = [f"bad-{number}" for number in range(DEAD_IN_A_ROW_MAX + 5)]


async def too_many(world: World) -> None:
    world.failing = {client: NEVER for client in BAD}
    await world.say(*BAD)
    await world.runs_until(world.stands_still)


async def test_a_consumer_that_stopped_stays_so_however_often_it_is_restarted(world: World) -> None:
    await too_many(world)
    for _ in range(3):
        await world.runs_until(world.stands_still)
        await asyncio.sleep(0.1)
    assert await world.rows("select count(*) from dead_letters") == [(DEAD_IN_A_ROW_MAX,)]
    assert await world.rows("select count(*) from consumer_stops") == [(1,)]


async def test_a_redrive_that_succeeds_lets_it_go_on_and_nothing_is_lost(
    world: World, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    await too_many(world)
    assert await command(["list"]) == 0
    shown = capsys.readouterr().out
    assert "tests stands still since" in shown
    assert f"{DEAD_IN_A_ROW_MAX} dead letters" in shown
    world.failing.clear()
    await command(["redrive", "--all", "--reason", "it is mended", "--by", "me", "--wait", "0"])

    async def is_whole() -> bool:
        return sorted(map(str, await world.effects())) == sorted(BAD)

    await world.runs_until(is_whole)
    assert await world.rows("select lifted_by, lift_reason from consumer_stops") == [("me", "it is mended")]
    assert REGISTRY.get_sample_value("portolan_consumer_stopped", {"consumer": "tests"}) == 0


async def test_a_new_release_goes_on_by_itself(world: World) -> None:
    await too_many(world)
    world.failing.clear()
    release.is_called("2026.12")

    async def goes_on() -> bool:
        return len(await world.effects()) == len(BAD) - DEAD_IN_A_ROW_MAX

    await world.runs_until(goes_on)
    assert await world.rows("select lifted_by from consumer_stops") == [("release 2026.12",)]


async def test_a_stop_can_be_lifted_alone(world: World, command: Command) -> None:
    await too_many(world)
    world.failing.clear()
    assert await command(["resume", "--consumer", "tests", "--reason", "they are of no use", "--by", "me"]) == 0
    assert await command(["resume", "--consumer", "tests", "--reason", "again"]) == operating.REFUSED

    async def goes_on() -> bool:
        return len(await world.effects()) == len(BAD) - DEAD_IN_A_ROW_MAX

    await world.runs_until(goes_on)
    assert await world.rows("select count(*) from dead_letters where redriven_at is null") == [(DEAD_IN_A_ROW_MAX,)]


async def test_without_a_reason_or_anything_dead_nothing_is_redriven(world: World) -> None:
    async with world.database.transaction() as tx:
        with pytest.raises(NotFound):
            await dead.request(tx, None, "why not", "me")
        with pytest.raises(Invalid):
            await dead.request(tx, None, " ", "me")
        assert await inbox.once(tx, "tests", []) == set()
