"""The people of the run: documents arrive by the clock, whatever the system does; of some the whole life is played."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portolan_cli.client import Credentials
from portolan_cli.generation import Generated
from portolan_cli.generation.chance import Chance
from portolan_cli.reference import course
from portolan_cli.reference.acts import Act
from portolan_cli.reference.board import Board, Place
from portolan_cli.reference.book import Book
from portolan_cli.reference.cast import Cast
from portolan_cli.reference.life import Impossible, begin
from portolan_cli.reference.players import Player, Stage, WentOtherwise, known
from portolan_cli.reference.wire import NoAnswer, Reply

from tests.misfortunes.expectations import Cast as Ids
from tests.misfortunes.expectations import filed
from tests.misfortunes.history import Line
from tests.misfortunes.wire import RecordedWire

# Of the documents that arrive, how many go all their way. The others stay where the first act would be.
ACTED_SHARE = 0.02
LIVES_AT_ONCE_MAX = 200
SUBMISSIONS = "/v1/documents"
IN_FLIGHT_MAX = 4_000
LOOK_S_FIRST, LOOK_S_MAX = 0.7, 2.0


@dataclass(frozen=True)
class Arrival:
    """Made beforehand, so that the clock waits for nothing."""

    number: int
    type: str
    submitter: Credentials
    organisation_id: str
    raw: bytes


def arrival(document: Generated, cast: Cast) -> Arrival:
    owner, submitter = (cast.traders[one.key] for one in (document.owner, document.submitter))
    asked: dict[str, Any] = {"type": document.type, "body": document.body}
    if owner.organisation_id != submitter.organisation_id:
        asked["on_behalf_of"] = owner.organisation_id
    raw = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()
    return Arrival(document.number, document.type, submitter.credentials, submitter.organisation_id, raw)


def is_acted(seed: int, number: int, share: float = ACTED_SHARE) -> bool:
    return Chance(seed, "acted", number).happens(share)


class PatientBoard(Board):
    """Asks for one document's tasks: the queues themselves grow by thousands."""

    async def task(self, agency: str, place: Place) -> str:
        document_id, step, rule = place
        path = f"/v1/tasks?state=OPEN&document_id={document_id}"
        limit, pause_s = time.monotonic() + self.patience_s, LOOK_S_FIRST
        while time.monotonic() < limit:
            reply = await self.wire.get(path, self.officers[agency][0].credentials)
            for task in reply.content["items"]:
                if (task["step"], task.get("rule") or "") == (step, rule) and task["agency"] == agency:
                    return str(task["id"])
            await asyncio.sleep(pause_s)
            pause_s = min(LOOK_S_MAX, 1.5 * pause_s)
        raise TimeoutError


class PatientPlayer(Player):
    """Looks seldom: the system has other guests."""

    looks_s = (LOOK_S_FIRST, LOOK_S_MAX)


@dataclass
class Crowd:
    """`acknowledged` grows as documents are taken: number to id."""

    stage: Stage
    wire: RecordedWire
    book: Book
    ids: Ids
    life: Callable[[int], Generated | None]
    acknowledged: dict[int, str] = field(default_factory=dict)
    shed: int = 0
    _arriving: set[asyncio.Task[None]] = field(default_factory=set)
    _playing: set[asyncio.Task[None]] = field(default_factory=set)

    async def arrive(self, arrival: Callable[[int], Arrival], rate: float, stop: asyncio.Event) -> int:
        """Each at its own moment, answered or not, until `stop`. Answers how many came."""
        began, place = self.wire.now(), 0
        while not stop.is_set():
            due = began + place / rate
            if len(self._arriving) < IN_FLIGHT_MAX:
                self._go(self._arriving, self._submit(arrival(place), due))
            else:
                self.shed += 1
            place += 1
            await asyncio.sleep(max(0.0, began + place / rate - self.wire.now()))
        return place

    async def answered(self) -> None:
        while self._arriving:
            await asyncio.wait(self._arriving)

    async def played(self) -> None:
        while self._playing:
            await asyncio.wait(self._playing)

    def _go(self, group: set[asyncio.Task[None]], work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        group.add(task)
        task.add_done_callback(group.discard)

    async def _submit(self, one: Arrival, due: float) -> None:
        head = {"idempotency_key": f"{self.stage.run}-{one.number}"}
        named: dict[str, Any] = {"document": one.number, "who": one.organisation_id, "intended": due}
        try:
            reply = await self.wire.write("submit", SUBMISSIONS, one.submitter, one.raw, head, **named)
        except NoAnswer:
            return
        if reply.status == 201:
            self._taken(one, reply)

    def _taken(self, one: Arrival, reply: Reply) -> None:
        self.acknowledged[one.number] = reply.content["id"]
        document = self.life(one.number) if len(self._playing) < LIVES_AT_ONCE_MAX else None
        if document is not None:
            self._go(self._playing, self._play(document, reply.content))

    async def settled(self) -> None:
        """What nobody answered is asked again; what was taken then counts as all others."""
        for asked, reply in await self.wire.settle():
            if asked.path == SUBMISSIONS and reply.status == 201:
                self.acknowledged[int(asked.head["idempotency_key"].split("-")[1])] = reply.content["id"]

    async def _play(self, document: Generated, content: Mapping[str, Any]) -> None:
        player = PatientPlayer(self.stage, document, content["id"], content["reference"])
        made, trouble = 0, ""
        try:
            for act in await self._acts(document, player.id):
                await player.play(act)
                made += 1
        except (WentOtherwise, Impossible, NoAnswer, KeyError, TypeError) as error:
            trouble = f"{type(error).__name__}: {error}"
        line = Line("played", self.wire.now(), document=document.number, attempts=made, trouble=trouble[:500])
        self.wire.record(line)

    async def _acts(self, document: Generated, document_id: str) -> list[Act]:
        of = filed(document, self.ids, self.stage.today, document_id, await known(self.stage, document_id))
        return course.run(begin(self.book, of, document.script)).acts
