"""Signs of life in the database, what is made of them, and how a service answers for all it needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc.aio
import psycopg
import pytest
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kit import clock, heartbeat, outbox, service, standing
from kit.auth import TokenVerifier, service_token
from kit.bus import Publisher, Subscription
from kit.consumer import Consumer
from kit.database import Database
from kit.errors import Forbidden, Unauthenticated, Unavailable
from kit.events import Event
from kit.grpc import Server, call, channel
from kit.heartbeat import Beat, Heartbeat
from kit.relay import Relay
from kit.standing import LATE_S, OUTBOX_OLD_S, SILENT_AFTER_S, Found, Standing, State
from kit.testing import TokenMint, a_principal
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

A_BEAT = Beat("consumer", 0.5, True, False, 3.0, 0.2)
SECRET = "s"


@pytest.mark.parametrize(
    ("beat", "state", "code"),
    [
        (A_BEAT, State.OK, "OK"),
        (replace(A_BEAT, heard_s=None, behind_s=None), State.OK, "OK"),
        (replace(A_BEAT, silent_s=SILENT_AFTER_S), State.DOWN, "PROCESS_SILENT"),
        (None, State.DOWN, "PROCESS_SILENT"),
        (replace(A_BEAT, is_waiting=True), State.DEGRADED, "PROCESS_WAITS"),
        (replace(A_BEAT, behind_s=LATE_S + 1), State.DEGRADED, "PROCESS_LATE"),
        (replace(A_BEAT, behind_s=LATE_S + 1, heard_s=900.0), State.OK, "OK"),
    ],
)
def test_a_process_is_judged_by_its_signs_of_life(beat: Beat | None, state: State, code: str) -> None:
    found = standing.process("consumer", beat, 3600.0)
    assert (found.state, found.code) == (state, code)


def test_a_process_that_may_still_be_starting_is_not_missed() -> None:
    assert standing.process("consumer", None, SILENT_AFTER_S - 1).state is State.OK


@pytest.mark.parametrize(
    ("beats", "oldest_s", "code"),
    [
        ([A_BEAT], 0.0, "OK"),
        ([], 0.0, "OK"),
        ([replace(A_BEAT, is_bus_there=False)], 3.0, "BUS_DOWN"),
        ([replace(A_BEAT, is_bus_there=False, silent_s=SILENT_AFTER_S)], 0.0, "OK"),
        ([A_BEAT], OUTBOX_OLD_S + 1, "OUTBOX_WAITS"),
    ],
)
def test_the_bus_is_judged_by_what_met_it_and_what_waits_for_it(beats: list[Beat], oldest_s: float, code: str) -> None:
    found = standing.bus({beat.process: beat for beat in beats}, oldest_s)
    assert (found.code, found.age_s) == (code, oldest_s)


async def known(database: Database) -> dict[str, Beat]:
    async with database.connection() as connection:
        return dict(await heartbeat.beats(connection))


async def until(is_so: Callable[[], Any], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.05)


async def test_what_is_not_said_anew_stays(kit_database: Database) -> None:
    one, other = Heartbeat(kit_database, "consumer"), Heartbeat(kit_database, "consumer")
    one.bus_answered(True)
    one.heard(4.5)
    await one.beat()
    other.bus_answered(True)
    await other.beat()
    beat = (await known(kit_database))["consumer"]
    assert (beat.is_bus_there, beat.is_waiting, beat.behind_s) == (True, False, 4.5)
    assert beat.silent_s < 5
    assert beat.heard_s is not None
    other.waits(True)
    other.bus_answered(False)
    await other.beat()
    beat = (await known(kit_database))["consumer"]
    assert (beat.is_bus_there, beat.is_waiting) == (False, True)


async def test_a_beating_loop_leaves_signs_of_life_and_none_after_its_end(kit_database: Database) -> None:
    stop = asyncio.Event()

    async def loop(until_told: asyncio.Event) -> None:
        await until_told.wait()

    running = asyncio.create_task(service.beating(kit_database, "sender", loop)(stop))

    async def has_beaten() -> bool:
        return "sender" in await known(kit_database)

    await until(has_beaten)
    stop.set()
    await running
    assert not [task for task in asyncio.all_tasks() if "Heartbeat" in repr(task)]


class Bus:
    """Publisher and subscription in one, which a test takes away."""

    def __init__(self) -> None:
        self.is_there = True
        self.events: list[Event] = []

    async def publish(self, events: Any) -> None:
        await self.cluster_id()

    async def cluster_id(self) -> str:
        if not self.is_there:
            raise Unavailable("OVERLOADED", "no bus")
        return "c"

    async def poll(self, events_max: int, wait_s: float) -> list[Event]:
        await asyncio.sleep(0.01)
        await self.cluster_id()
        return self.events

    async def commit(self, events: Any) -> None:
        self.events = []

    async def close(self) -> None: ...


async def append(database: Database, age_s: float = 0.0) -> None:
    said = clock.now() - timedelta(seconds=age_s)
    with clock.told_by(lambda: said):
        async with database.transaction() as tx:
            await outbox.append(tx, topic="t", key="k", message=Empty())


async def test_a_relay_says_that_the_bus_is_away_and_the_outbox_how_long_its_facts_wait(
    kit_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_EVERY_S", 0.05)
    bus = Bus()
    publisher: Publisher = bus
    bus.is_there = False
    await append(kit_database, age_s=75.0)
    looked = Standing(kit_database, ["relay"])
    stop = asyncio.Event()
    running = asyncio.create_task(Relay("tests", kit_database, publisher).run(stop))

    async def of_bus() -> Found:
        return {found.name: found for found in await looked.look()}["bus"]

    async def is_down() -> bool:
        return (await of_bus()).code == "BUS_DOWN"

    async def is_up() -> bool:
        return (await of_bus()).code == "OK"

    await until(is_down)
    assert 75.0 <= ((await of_bus()).age_s or 0.0) < 90.0
    bus.is_there = True
    await until(is_up)
    assert (await of_bus()).age_s == 0.0
    stop.set()
    await running


async def test_a_consumer_says_what_it_heard_and_what_it_waits_for(
    kit_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_EVERY_S", 0.05)
    bus = Bus()
    subscription: Subscription = bus
    is_away = True

    async def prepare(_: Any) -> None:
        if is_away:
            raise Unavailable("OVERLOADED", "another service is away")

    async def handle(tx: Any, event: Event, message: Any) -> None: ...

    told = clock.now() - timedelta(seconds=90)
    bus.events = [Event("0192d3d0-0000-7000-8000-000000000000", "t", "k", "google.protobuf.Empty", told, b"", "")]
    consumer = Consumer(kit_database, subscription, "tests", {Empty: handle}, prepare)
    looked = Standing(kit_database, ["consumer"])
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))

    def stands(code: str) -> Callable[[], Any]:
        async def is_so() -> bool:
            return code in {found.code for found in await looked.look() if found.name in ("consumer", "bus")}

        return is_so

    await until(stands("PROCESS_WAITS"))
    is_away = False
    await until(stands("PROCESS_LATE"))
    bus.is_there = False
    await until(stands("BUS_DOWN"))
    stop.set()
    await running


async def test_what_stands_as_it_stood_keeps_its_time(kit_database: Database) -> None:
    looked = Standing(kit_database, [])
    first, later = clock.now(), clock.now() + timedelta(minutes=5)
    with clock.told_by(lambda: first):
        looked.remember([Found("bus"), Found("database")])
    with clock.told_by(lambda: later):
        looked.remember([Found("bus", age_s=2.0), Found("database", State.DOWN, "DATABASE_DOWN")])
    assert {found.name: since for found, since in looked.components} == {"bus": first, "database": later}


async def test_a_database_that_takes_no_connection_is_slow_and_then_down(
    postgres_url: str, kit_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "LOOK_S_MAX", 0.3)
    monkeypatch.setattr(standing, "DATABASE_DOWN_AFTER_S", 0.5)
    looked = Standing(kit_database, ["relay"])
    assert [found.name for found in await looked.look()] == ["database", "bus", "relay"]
    await _allow(postgres_url, kit_database, "false")
    slow, down = await looked.look(), await looked.look()
    assert [(found.name, found.code) for found in slow] == [("database", "DATABASE_SLOW")]
    assert [(found.name, found.code) for found in down] == [("database", "DATABASE_DOWN")]
    await _allow(postgres_url, kit_database, "true")

    async def is_back() -> bool:
        return (await looked.look())[0].state is State.OK

    await until(is_back, 20.0)


async def _allow(server_url: str, database: Database, whether: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database.url)["dbname"]
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
        await connection.execute(f'alter database "{name}" allow_connections {whether}')
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])


async def test_what_is_asked_rarely_is_asked_rarely_and_never_for_long(
    kit_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "CHECK_S_MAX", 0.05)
    asked = 0

    async def hang() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)

    looked = Standing(kit_database, [], [standing.answers("store", "STORE_DOWN", hang)])
    for _ in range(3):
        found = {one.name: one for one in await looked.look()}["store"]
        assert (found.state, found.code) == (State.DOWN, "STORE_DOWN")
    assert asked == 1


@pytest.fixture
async def served(kit_database: Database, mint: TokenMint) -> AsyncIterator[grpc.aio.Channel]:
    server = Server("tests", TokenVerifier(mint, SECRET), "127.0.0.1", 0)

    async def refuse() -> None:
        raise Unavailable("OVERLOADED", "no store")

    server.stands(Standing(kit_database, ["relay"], [standing.answers("store", "STORE_DOWN", refuse)]))
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    wire = channel(f"127.0.0.1:{server.port}")
    yield wire
    await wire.close()
    stop.set()
    await running


async def test_a_service_answers_other_services_alone_and_gRPC_health_by_name(
    served: grpc.aio.Channel, mint: TokenMint
) -> None:
    stub = standing_pb2_grpc.StandingServiceStub(served)
    request = standing_pb2.GetStandingRequest()

    async def has_looked() -> bool:
        reply = await call(stub.GetStanding, request, token=service_token("gateway", SECRET))
        return {one.name: one.code for one in reply.components} == {
            **{"database": "OK", "bus": "OK", "relay": "OK"},
            "store": "STORE_DOWN",
        }

    await until(has_looked)
    with pytest.raises(Unauthenticated):
        await call(stub.GetStanding, request)
    with pytest.raises(Forbidden):
        await call(stub.GetStanding, request, token=mint.token(a_principal("operator_admin")))
    health: Any = health_pb2_grpc.HealthStub(served)
    known = health_pb2.HealthCheckResponse
    for name, status in {"": known.SERVING, "database": known.SERVING, "store": known.NOT_SERVING}.items():
        assert (await health.Check(health_pb2.HealthCheckRequest(service=name))).status == status
