"""The history is lived: documents come, people act, the services answer, tick by tick to its last moment."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from intake.actions.register import Answer
from kit.errors import PortolanError
from portolan_cli.generation import Generated, Generator
from portolan_cli.generation.chance import Chance
from portolan_cli.reference import course
from portolan_cli.reference.acts import Act
from portolan_cli.reference.book import Book
from portolan_cli.reference.judge import Filed
from portolan_cli.reference.life import begin

from history.hands import Hands, Live, can
from history.house import House
from history.pace import Pace
from history.people import People

TICK = timedelta(minutes=20)
SWEEP_EVERY = timedelta(hours=1)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(order=True)
class Due:
    """What happens when; `place` keeps the order of what happens at once."""

    at: datetime
    place: int
    document: Generated = field(compare=False)
    live: Live | None = field(default=None, compare=False)
    acts: Sequence[Act] | None = field(default=None, compare=False)
    number: int = field(default=0, compare=False)


@dataclass
class Lived:
    """`left` documents still had acts before them at the last moment; `overtaken` went another way by themselves."""

    documents: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    left: int = 0
    overtaken: Counter[str] = field(default_factory=Counter)


class History:
    def __init__(self, house: House, people: People, book: Book, pace: Pace, seed: int, until: datetime) -> None:
        self._house, self._people, self._book, self._pace = house, people, book, pace
        self._hands = Hands(house, people)
        self._seed, self._until = seed, until
        self._agenda: list[Due] = []
        self._placed = 0
        self._swept = EPOCH
        self.lived = Lived()

    async def live(self, generator: Generator, arrivals: Sequence[datetime]) -> Lived:
        for number, moment in enumerate(arrivals, 1):
            self._plan(moment, generator.document(number, moment.date()))
        while self._agenda and self._agenda[0].at < self._until:
            await self._tick(min(_tick_end(self._agenda[0].at), self._until))
        self.lived.left = len(self._agenda)
        self._house.time.at(self._until)
        await self._house.drain()
        self._house.time.at(self._until)
        await self._house.sweep()
        await self._house.tell()
        return self.lived

    def _plan(
        self,
        at: datetime,
        document: Generated,
        live: Live | None = None,
        acts: Sequence[Act] | None = None,
        number: int = 0,
    ) -> None:
        self._placed += 1
        heapq.heappush(self._agenda, Due(at, self._placed, document, live, acts, number))

    async def _tick(self, end: datetime) -> None:
        done: list[Due] = []
        while self._agenda and self._agenda[0].at < end:
            due = heapq.heappop(self._agenda)
            self._house.time.at(due.at)
            followed = await (self._act(due) if due.acts is not None else self._submit(due))
            done += [followed] if followed is not None else []
        await self._house.drain()
        self._house.time.at(end)
        if end - self._swept >= SWEEP_EVERY:
            await self._house.sweep()
            await self._house.tell()
            self._swept = end
        for due in done:
            await self._go_on(due, end)

    async def _go_on(self, due: Due, end: datetime) -> None:
        """With the next act of the script, which is written once the window knows what it weighed."""
        acts = due.acts if due.acts is not None else await self._foretold(due)
        if due.number < len(acts):
            at = self._pace.takes(acts[due.number].kind, due.at, self._chance(due))
            not_before = due.live.not_before(acts[due.number]) if due.live is not None else None
            self._plan(max(at, end, not_before or end), due.document, due.live, acts, due.number)

    async def _foretold(self, due: Due) -> Sequence[Act]:
        assert due.live is not None  # noqa: S101 - it was submitted
        filed = replace(self._filed(due, due.live.id), known=await self._hands.known(due.live))
        return list(takewhile(can, course.run(begin(self._book, filed, due.document.script)).acts))

    async def _submit(self, due: Due) -> Due | None:
        self.lived.documents += 1
        answer = await self._hands.submit(due.document)
        if not isinstance(answer, Answer):
            self.lived.refused[answer.code] += 1
            return None
        if due.document.script.duplicate:
            await self._hands.submit(due.document)
        return Due(
            due.at,
            due.place,
            due.document,
            Live(due.document, answer.document_id, json.loads(answer.document_json)["reference"]),
        )

    async def _act(self, due: Due) -> Due | None:
        assert due.live is not None  # noqa: S101 - what has acts was submitted
        assert due.acts is not None  # noqa: S101
        act = due.acts[due.number]
        try:
            await self._hands.act(due.live, due.number, act)
        except PortolanError as error:
            self.lived.overtaken[f"{act.kind} {error.code}"] += 1
            return None
        self.lived.acts[act.kind] += 1
        return Due(due.at, due.place, due.document, due.live, due.acts, due.number + 1)

    def _filed(self, due: Due, document_id: str) -> Filed:
        document = due.document
        return Filed(
            type=document.type,
            body=document.body,
            owner_id=self._people.traders[document.owner.key].organisation_id,
            owner_attributes=document.owner.attributes,
            owner_billing_mode=document.owner.billing_mode,
            submitter_id=self._people.traders[document.submitter.key].organisation_id,
            day=due.at.date().isoformat(),
            document_id=document_id,
        )

    def _chance(self, due: Due) -> Chance:
        return Chance(self._seed, "pace", due.document.number, due.number)


def _tick_end(moment: datetime) -> datetime:
    return EPOCH + ((moment - EPOCH) // TICK + 1) * TICK
