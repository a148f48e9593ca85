"""The reference run: generated documents through the window's public door, each held against the plain model."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import packs
from kit import clock
from packs import Pack

from portolan_cli import generation, places
from portolan_cli.client import Portolan
from portolan_cli.generation import Generated, Generator
from portolan_cli.reference import acts, compare, course, effects
from portolan_cli.reference.board import Board
from portolan_cli.reference.book import Book, many
from portolan_cli.reference.cast import Cast, gather
from portolan_cli.reference.judge import Filed, judge
from portolan_cli.reference.life import Impossible, Life, begin
from portolan_cli.reference.players import Player, Stage, WentOtherwise, known, submit
from portolan_cli.reference.wire import NoAnswer, Wire

AT_ONCE = 64
CONNECTIONS_MAX = 48
PATIENCE_S = 60.0
# Letters take their time: notices are looked at when everything else is over.
NOTICES_PATIENCE_TIMES = 15
RUN_ID_BYTES = 4
# By then everything of its kind has happened: ten working days are over, be it Ramadan, and half a year.
WAITS = {acts.LAPSE: timedelta(days=30), acts.EXPIRE: timedelta(days=200)}

T = TypeVar("T")


@dataclass
class Tally:
    """What the run met."""

    documents: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    charged_minor: int = 0
    notices: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Failure:
    document: Generated
    id: str
    differences: tuple[str, ...]


@dataclass
class Report:
    seed: int
    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    took_s: float = 0.0
    calls: int = 0

    def unmet_rules(self, book: Book) -> list[str]:
        return [rule["id"] for rule in book.rules if not self.tally.rules[rule["id"]]]

    def unmet_moves(self, book: Book) -> list[str]:
        return [
            f"{key}: {origin} {move['event']} {move['to']}"
            for key, kind in book.types.items()
            for move in kind["transitions"]
            for origin in many(move["from"])
            if not self.tally.moves[key, origin, move["event"], move["to"]]
        ]


Watch = Callable[[Report], None]


@dataclass
class Playing:
    """A life, and how many of its acts have been played."""

    player: Player
    life: Life
    played: int = 0


@dataclass
class Run:
    stage: Stage
    book: Book
    report: Report
    _to_be_told: list[tuple[Player, Life, effects.Charges, effects.Credits]] = field(default_factory=list)
    _waiting: dict[str, list[Playing]] = field(default_factory=lambda: {kind: [] for kind in acts.OF_THE_CLOCK})

    async def all(self, documents: Iterator[Generated], watch: Watch) -> None:
        """AT_ONCE of them live at the same time; then those that wait for the clock, which is moved on for them."""

        async def one(document: Generated) -> None:
            await self._one(document)
            watch(self.report)

        await _each(one, documents)
        for what in acts.OF_THE_CLOCK:
            await self.notices()
            await self._later(what)
        await self.notices()

    async def _later(self, what: str) -> None:
        waiting, self._waiting[what] = self._waiting[what], []
        if waiting:
            assert self.stage.clock is not None  # noqa: S101 - the run is of a home
            await asyncio.to_thread(clock.move_on, self.stage.clock, WAITS[what])
            await _each(self._go_on, waiting)

    async def _one(self, document: Generated) -> None:
        self.report.tally.documents[document.type] += 1
        self.report.tally.faults[document.fault or "none"] += 1
        document_id, differences = "", list[str]()
        try:
            reply = await submit(self.stage, document)
            document_id = reply.content.get("id", "") if reply.status == 201 else ""
            filed = self._filed(document, document_id)
            verdict = judge(self.book, filed)
            seen = {(one["pointer"], one["code"]) for one in reply.content.get("errors", ())}
            self.report.tally.violations.update(code for _, code in seen)
            self.report.tally.rules.update(code for place, code in verdict.violations if place == "/type")
            if verdict.violations or reply.status != 201:
                differences = _verdict_differs(verdict.violations, seen, reply.status, reply.content)
            else:
                filed = replace(filed, known=await known(self.stage, document_id))
                life = begin(self.book, filed, document.script, time_passes=True)
                differences = await self._life(document, life, reply.content["reference"])
        except (WentOtherwise, Impossible, NoAnswer) as error:
            differences = [str(error)]
        if differences:
            self.report.failures.append(Failure(document, document_id, tuple(differences)))

    async def _life(self, document: Generated, life: Life, reference: str) -> list[str]:
        player = Player(self.stage, document, life.filed.document_id, reference)
        course.run(life)
        found = await self._again(document, player.id) if document.script.duplicate else []
        await self._go_on(Playing(player, life))
        return found

    async def _go_on(self, playing: Playing) -> None:
        """To the end, or to what only the clock brings."""
        player, life = playing.player, playing.life
        found: list[str] = []
        try:
            for act in life.acts[playing.played :]:
                playing.played += 1
                self.report.tally.acts[act.kind] += 1
                if act.kind in acts.OF_THE_CLOCK:
                    self._waiting[act.kind].append(playing)
                    return
                await player.play(act)
            found += await compare.ending(player, life)
            found += await self._effects(player, life)
            self._count(player.document, life)
        except (WentOtherwise, Impossible, NoAnswer) as error:
            found.append(str(error))
        if found:
            self.report.failures.append(Failure(player.document, player.id, tuple(found)))

    async def _again(self, document: Generated, document_id: str) -> list[str]:
        self.report.tally.repeated += 1
        reply = await submit(self.stage, document)
        is_same = reply.status in (200, 201) and reply.content.get("id") == document_id
        return [] if is_same else [f"the same submission again: {reply.status} {reply.content}"]

    async def _effects(self, player: Player, life: Life) -> list[str]:
        charged = effects.charges(self.book, life)
        self.report.tally.charged_minor += sum(amount for _, amount in charged)
        credited = effects.credits(self.book, life, charged)
        limit = time.monotonic() + player.stage.patience_s
        found = await _eventually(lambda: self._charges_differ(player, charged, credited), limit)
        self._to_be_told.append((player, life, charged, credited))
        return found

    async def notices(self) -> None:
        """Of every document: everybody was told what the pack's rules say, once."""
        limit = time.monotonic() + NOTICES_PATIENCE_TIMES * self.stage.patience_s
        ended, self._to_be_told = self._to_be_told, []
        await _each(lambda one: self._told(*one, limit), ended)

    async def _told(
        self, player: Player, life: Life, charged: effects.Charges, credited: effects.Credits, limit: float
    ) -> None:
        told = effects.notices(self.book, life, charged, self.stage.cast.organisations, credited)
        self.report.tally.notices += told.total()
        found = await _eventually(lambda: self._notices_differ(player, life, told), limit)
        if found:
            self.report.failures.append(Failure(player.document, player.id, tuple(found)))

    async def _charges_differ(self, player: Player, charged: effects.Charges, credited: effects.Credits) -> list[str]:
        charges, credits = await compare.charges(player)
        return [
            *compare.counted("charge", Counter(charged), Counter(charges)),
            *compare.counted("credit", Counter(credited), Counter(credits)),
        ]

    async def _notices_differ(self, player: Player, life: Life, told: Counter[tuple[str, str]]) -> list[str]:
        return compare.counted("notice", told, await compare.notices(player, life))

    def _filed(self, document: Generated, document_id: str) -> Filed:
        return Filed(
            type=document.type,
            body=document.body,
            owner_id=self.stage.cast.traders[document.owner.key].organisation_id,
            owner_attributes=document.owner.attributes,
            owner_billing_mode=document.owner.billing_mode,
            submitter_id=self.stage.cast.traders[document.submitter.key].organisation_id,
            day=self.stage.today,
            document_id=document_id,
        )

    def _count(self, document: Generated, life: Life) -> None:
        tally = self.report.tally
        tally.states[document.type, life.state] += 1
        tally.rules.update(life.reading.ids)
        tally.moves.update((document.type, *move) for move in life.moves)


async def _each(do: Callable[[T], Awaitable[None]], what: Iterable[T]) -> None:
    """AT_ONCE of them at the same time."""
    left = iter(what)

    async def work() -> None:
        for one in left:
            await do(one)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def _eventually(look: Callable[[], Awaitable[list[str]]], limit: float) -> list[str]:
    while True:
        found = await look()
        if not found or time.monotonic() > limit:
            return found
        await asyncio.sleep(0.3)


def _verdict_differs(
    wanted: frozenset[tuple[str, str]], seen: set[tuple[str, str]], status: int, content: object
) -> list[str]:
    if status == 201 or not wanted:
        return [f"answered {status} {content}, violations should be {sorted(wanted)}"]
    return [] if wanted == seen else [f"violations {sorted(seen)} instead of {sorted(wanted)}"]


def run(
    base_url: str,
    home: Path,
    folder: Path,
    *,
    documents: int,
    seed: int,
    watch: Watch = lambda _: None,
    book: Book | None = None,
    patience_s: float = PATIENCE_S,
) -> Report:
    """Against what runs at `base_url` on this home, whose clock is moved on by the way; `book` as the pack is read."""
    pack, mix = packs.read(folder), generation.load(folder)
    companies = generation.companies(pack, mix)
    began, report = time.monotonic(), Report(seed)
    now = datetime.now(UTC) + timedelta(seconds=clock.read_ahead_s(places.clock_file(home)))
    with Portolan(base_url) as portolan:
        cast = gather(portolan, home, pack, companies, "reference")
        generator = Generator(pack, mix, companies, seed, now.astimezone(ZoneInfo(pack.timezone)).date())
        stage = _stage(portolan, home, cast, pack, now, patience_s)
        asyncio.run(_all(Run(stage, book or Book(folder), report), generator.documents(documents), watch))
    report.took_s = time.monotonic() - began
    return report


async def _all(run: Run, documents: Iterator[Generated], watch: Watch) -> None:
    try:
        await run.all(documents, watch)
    finally:
        run.report.calls = run.stage.wire.calls
        await run.stage.wire.close()


def _stage(portolan: Portolan, home: Path, cast: Cast, pack: Pack, now: datetime, patience_s: float) -> Stage:
    wire = Wire(portolan, CONNECTIONS_MAX)
    return Stage(
        wire=wire,
        board=Board(wire, cast.officers, patience_s),
        cast=cast,
        customs=next(agency.code for agency in pack.agencies.values() if agency.kind == "customs"),
        run=secrets.token_hex(RUN_ID_BYTES),
        today=now.astimezone(ZoneInfo(pack.timezone)).date().isoformat(),
        began_at=now.isoformat(timespec="seconds"),
        patience_s=patience_s,
        clock=places.clock_file(home),
    )
