"""One run: the crowd comes by the clock, faults strike one after another, and in the end all is counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from portolan_cli.client import Portolan
from portolan_cli.reference.players import Stage

from tests.misfortunes import databases, foretelling, history, public
from tests.misfortunes.checker import Finding, check
from tests.misfortunes.crowd import Crowd, PatientBoard
from tests.misfortunes.expectations import Expected
from tests.misfortunes.faults import Fault, NotPossible, Wrong
from tests.misfortunes.history import History, Line, Recorder
from tests.misfortunes.pulse import Pulse, charged_at_once
from tests.misfortunes.scene import Scene
from tests.misfortunes.stack_faults import Poison
from tests.misfortunes.wire import RecordedWire
from tests.misfortunes.world import World

CONNECTIONS_MAX = 96
PATIENCE_S = 180.0
CALM_S = 3.0
CAUGHT_UP_S_MAX = 120.0
LOOK_S = 0.25
DRAIN_S_MAX = 240.0
DRAIN_LOOK_S = 1.0
DRAIN_SAY_S = 10.0
SETTLES_MAX = 3


Say = Callable[[str], None]


class Machine(Protocol):
    """The system in any profile."""

    home: Path

    @property
    def base_url(self) -> str: ...
    def databases(self) -> Mapping[str, str]: ...


@dataclass
class Outcome:
    """Everything the table and latest.json are made of."""

    history: History
    findings: list[Finding]
    asked_rate: float
    rate: float
    seconds: float
    documents: int
    acts: int
    shed: int
    statuses: Counter[str]
    latencies_ms: list[float]
    cpu_share: float
    impossible: dict[str, str] = field(default_factory=dict)

    @property
    def troubles(self) -> list[str]:
        """What was not borne as it must be, though nothing is lost."""
        late = [f"{one.name}: never caught up" for one in self.history.faults if one.caught_up_s is None]
        return late + [f"{one.name}: {one.trouble}" for one in self.history.faults if one.trouble]


@dataclass
class Run:
    machine: Machine
    scene: Scene
    rate: float
    file: Path
    poison: Poison
    say: Say = print
    _recorder: Recorder = field(init=False)
    _wire: RecordedWire = field(init=False)
    _crowd: Crowd = field(init=False)
    _pulse: Pulse = field(init=False)
    _impossible: dict[str, str] = field(default_factory=dict)
    _looked_at: int = 0

    async def all(self, faults: Sequence[Fault]) -> Outcome:
        with Portolan(self.machine.base_url) as portolan:
            self._open(portolan)
            try:
                spent, began = time.process_time(), time.monotonic()
                came = await self._under_load(faults)
                seconds = time.monotonic() - began
                share = (time.process_time() - spent) / seconds
                await self._drained()
                return await self._counted(came, seconds, share)
            finally:
                await self._wire.close()
                self._recorder.close()

    def _open(self, portolan: Portolan) -> None:
        scene, zero = self.scene, time.monotonic()
        self._recorder = Recorder(self.file)
        self._recorder.write(Line("run", 0.0, name=scene.run, seed=scene.seed, day=scene.day))
        self._wire = RecordedWire(
            portolan, CONNECTIONS_MAX, recorder=self._recorder, now=lambda: time.monotonic() - zero
        )
        board = PatientBoard(self._wire, scene.cast.officers, PATIENCE_S)
        began_at = datetime.now(UTC).isoformat(timespec="seconds")
        stage = Stage(self._wire, board, scene.cast, scene.customs, scene.run, scene.day, began_at, PATIENCE_S)
        self._crowd = Crowd(stage, self._wire, scene.book, scene.ids, scene.life)
        self._pulse = Pulse(self.machine.databases(), charged_at_once(scene.book, scene.day))

    # --- under load

    async def _under_load(self, faults: Sequence[Fault]) -> int:
        stop = asyncio.Event()
        coming = asyncio.create_task(self._crowd.arrive(self.scene.arrival, self.rate, stop))
        try:
            await self._strike(Fault("calm", lambda: time.sleep(CALM_S)))
            for fault in faults:
                await self._strike(fault)
        finally:
            stop.set()
            came = await coming
        await self._crowd.answered()
        return came

    async def _strike(self, fault: Fault) -> None:
        self._recorder.write(Line("fault", self._wire.now(), name=fault.name))
        trouble = ""
        try:
            await asyncio.to_thread(fault.strike)
        except NotPossible as error:
            self._impossible[fault.name] = str(error)
        except Wrong as error:
            trouble = str(error)
        seconds = await self._caught_up()
        self.say(f"{self._wire.now():6.1f} s  {fault.name}: caught up after {seconds} s {trouble}".rstrip())
        self._recorder.write(Line("caught_up", self._wire.now(), name=fault.name, seconds=seconds, trouble=trouble))

    async def _caught_up(self) -> float | None:
        """Seconds until all that was taken by now had its effects; None when it never did."""
        began = self._wire.now()
        waiting = dict(islice(self._crowd.acknowledged.items(), self._looked_at, None))
        self._looked_at = len(self._crowd.acknowledged)
        documents = {document_id: self.scene.type_of(number) for number, document_id in waiting.items()}
        while self._wire.now() - began < CAUGHT_UP_S_MAX:
            if not await asyncio.to_thread(self._pulse.behind, documents):
                return round(self._wire.now() - began, 1)
            await asyncio.sleep(LOOK_S)
        return None

    # --- afterwards

    async def _drained(self) -> None:
        """Nobody is owed an answer, everybody has played to the end, and nothing is on its way."""
        for _ in range(SETTLES_MAX):
            await self._crowd.settled()
        await self._crowd.played()
        self.say(f"{self._wire.now():6.1f} s  waiting until nothing is on its way")
        owed, said_at = dict[str, int](), time.monotonic()
        limit = time.monotonic() + DRAIN_S_MAX
        taken = self._crowd.acknowledged.items()
        documents = {document_id: self.scene.type_of(number) for number, document_id in taken}
        while time.monotonic() < limit:
            owed = await asyncio.to_thread(lambda: self._pulse.undrained() or self._pulse.behind(documents))
            if not owed:
                return
            if time.monotonic() - said_at > DRAIN_SAY_S:
                said_at = time.monotonic()
                self.say(f"{self._wire.now():6.1f} s  still owed: {owed}")
            await asyncio.sleep(DRAIN_LOOK_S)
        self.say(f"still on its way after {DRAIN_S_MAX:.0f} s: {owed}")

    async def _counted(self, came: int, seconds: float, share: float) -> Outcome:
        self.say(f"{self._wire.now():6.1f} s  counting {len(self._crowd.acknowledged)} documents")
        told = history.read(self.file)
        world = await asyncio.to_thread(self._world)
        foretold = await asyncio.to_thread(self._foretold, told)
        await public.look(world, told, self._wire, self.scene)
        return Outcome(
            history=told,
            findings=check(told, world, foretold),
            asked_rate=self.rate,
            rate=came / seconds,
            seconds=seconds,
            documents=len(self._crowd.acknowledged),
            acts=sum(one.acts for one in told.played.values()),
            shed=self._crowd.shed,
            statuses=self._wire.statuses,
            latencies_ms=self._wire.latencies_ms,
            cpu_share=share,
            impossible=self._impossible,
        )

    def _world(self) -> World:
        return databases.read(
            self.machine.databases(), self.scene.owners, self.machine.home / "mail", self.poison.event_ids
        )

    def _foretold(self, told: History) -> dict[int, Expected]:
        known = databases.known(self.machine.databases(), self.scene.owners)
        return foretelling.all_of(self.scene, told, known)
