"""How a service stands with what it needs: looked at again and again, answered from memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

from kit import clock, heartbeat, outbox, telemetry, wire
from kit.database import Database
from kit.errors import PortolanError
from kit.heartbeat import BEAT_EVERY_S, Beat

LOOK_EVERY_S = 2.0
LOOK_S_MAX = 1.5
# A database that has not answered for so long is down, not slow.
DATABASE_DOWN_AFTER_S = 5.0
CHECK_EVERY_S = 10.0
CHECK_S_MAX = 3.0
SILENT_AFTER_S = 5 * BEAT_EVERY_S
OUTBOX_OLD_S = 15.0
LATE_S = 60.0
# How long what was heard last says something of now.
HEARD_LATELY_S = 30.0


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Found:
    """`code` is part of the public contract."""

    name: str
    state: State = State.OK
    code: str = "OK"
    age_s: float | None = None


Check = Callable[[], Awaitable[Found]]
Tell = Callable[[str, bool], Awaitable[None]]


class Standing:
    """`processes`: the kinds that leave heartbeats in this database. `checks`: what else is needed, asked rarely."""

    def __init__(self, database: Database, processes: Collection[str], checks: Sequence[Check] = ()) -> None:
        self._database = database
        self._processes = processes
        self._checks = checks
        self._began = self._answered_at = time.monotonic()
        self._checked_at = float("-inf")
        self._checked: list[Found] = []
        self._known: dict[str, tuple[Found, datetime]] = {}

    @property
    def components(self) -> Sequence[tuple[Found, datetime]]:
        return list(self._known.values())

    async def run(self, stop: asyncio.Event, tell: Tell) -> None:
        """`tell` hears of each component whether it can be used at all."""
        while not stop.is_set():
            try:
                self.remember(await self.look())
            except Exception as error:
                # What is told of a service must never end it.
                telemetry.log().error("standing_unknown", exc_info=error)
            for found, _ in self._known.values():
                await tell(found.name, found.state is not State.DOWN)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)

    def remember(self, found: Iterable[Found]) -> None:
        """What stands as it stood keeps its time."""
        now, before = clock.now(), self._known
        self._known = {one.name: (one, _since(one, before.get(one.name), now)) for one in found}

    async def look(self) -> list[Found]:
        if time.monotonic() - self._checked_at >= CHECK_EVERY_S:
            self._checked = list(await asyncio.gather(*(check() for check in self._checks)))
            self._checked_at = time.monotonic()
        return [*await self._look_at_database(), *self._checked]

    async def _look_at_database(self) -> list[Found]:
        try:
            async with asyncio.timeout(LOOK_S_MAX), self._database.connection() as connection:
                beats = await heartbeat.beats(connection)
                oldest = await outbox.oldest_unpublished(connection)
        except (PortolanError, psycopg.Error, TimeoutError):
            return [self._without_database()]
        self._answered_at = time.monotonic()
        age_s = max(0.0, (clock.now() - oldest).total_seconds()) if oldest else 0.0
        up_s = time.monotonic() - self._began
        processes = [process(name, beats.get(name), up_s) for name in self._processes]
        return [Found("database"), bus(beats, age_s), *processes]

    def _without_database(self) -> Found:
        silent_s = time.monotonic() - self._answered_at
        if silent_s < DATABASE_DOWN_AFTER_S:
            return Found("database", State.DEGRADED, "DATABASE_SLOW", silent_s)
        return Found("database", State.DOWN, "DATABASE_DOWN", silent_s)


def _since(found: Found, before: tuple[Found, datetime] | None, now: datetime) -> datetime:
    is_as_before = before is not None and (before[0].state, before[0].code) == (found.state, found.code)
    return before[1] if before is not None and is_as_before else now


def bus(beats: Mapping[str, Beat], oldest_s: float) -> Found:
    """As the service sees it: by what its own processes met there, and by what waits to get there."""
    alive = [beat for beat in beats.values() if beat.silent_s < SILENT_AFTER_S]
    if any(beat.is_bus_there is False for beat in alive):
        return Found("bus", State.DOWN, "BUS_DOWN", oldest_s)
    if oldest_s > OUTBOX_OLD_S:
        return Found("bus", State.DEGRADED, "OUTBOX_WAITS", oldest_s)
    return Found("bus", age_s=oldest_s)


def process(name: str, beat: Beat | None, up_s: float) -> Found:
    """`up_s`: for how long it could have been heard of."""
    if beat is None and up_s < SILENT_AFTER_S:
        return Found(name)
    if beat is None or beat.silent_s >= SILENT_AFTER_S:
        return Found(name, State.DOWN, "PROCESS_SILENT", beat.silent_s if beat else None)
    if beat.is_waiting:
        return Found(name, State.DEGRADED, "PROCESS_WAITS")
    lately = beat.behind_s if beat.heard_s is not None and beat.heard_s < HEARD_LATELY_S else None
    if lately is not None and lately > LATE_S:
        return Found(name, State.DEGRADED, "PROCESS_LATE", lately)
    return Found(name, age_s=lately)


def answers(name: str, code: str, ask: Callable[[], Awaitable[None]]) -> Check:
    """A check of something that raises PortolanError, or says nothing in time, while it cannot be used."""

    async def check() -> Found:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await ask()
        except (PortolanError, TimeoutError) as error:
            telemetry.log().warning("needed_and_away", component=name, reason=str(error) or "no answer in time")
            return Found(name, State.DOWN, code)
        return Found(name)

    return check


_STATES = {
    State.OK: standing_pb2.STATE_OK,
    State.DEGRADED: standing_pb2.STATE_DEGRADED,
    State.DOWN: standing_pb2.STATE_DOWN,
}


class StandingApi(standing_pb2_grpc.StandingServiceServicer):
    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def GetStanding(self, request: Any, context: Any) -> standing_pb2.GetStandingResponse:
        shown = [_component(found, since) for found, since in self._standing.components]
        return standing_pb2.GetStandingResponse(components=shown)


def _component(found: Found, since: datetime) -> standing_pb2.Component:
    return standing_pb2.Component(
        name=found.name,
        state=_STATES[found.state],
        code=found.code,
        since=wire.timestamp(since),
        age_seconds=found.age_s,
    )
