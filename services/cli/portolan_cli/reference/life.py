"""The life of one document by the pack's words and the script's: what is done to it, and where that must end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from portolan_cli.generation.script import Script
from portolan_cli.reference import table, titles
from portolan_cli.reference.acts import Act
from portolan_cli.reference.book import Book, Entry, holds, many
from portolan_cli.reference.judge import Filed, judge
from portolan_cli.reference.table import Reading

INTAKE, ROUTING = "portolan.intake.v1.", "portolan.routing.v1."


class Impossible(Exception):
    """The pack knows no such move: the model's own fault, or the pack's."""


@dataclass(frozen=True)
class Part:
    """One agency's task in a step."""

    step: Entry
    agency: str
    rule: str
    signatures: int
    is_automatic: bool


@dataclass(frozen=True)
class Said:
    """One agency's word in a step that the case came to for the `entry`th time."""

    step: str
    entry: int
    agency: str
    rule: str
    outcome: str


@dataclass
class Life:
    """Everything that must be true of the document in the end, as far as it has come."""

    book: Book
    filed: Filed
    kind: Entry
    facts: Mapping[str, Any]
    reading: Reading
    script: Script
    body: Mapping[str, Any]
    ledger: titles.Ledger
    state: str
    version: int = 1
    acts: list[Act] = field(default_factory=list)
    tasks: list[tuple[str, str]] = field(default_factory=list)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    milestones: list[tuple[str, str]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    visits_due: frozenset[str] = frozenset()
    # Whether the clock will be moved on, so that what only time brings is part of it.
    time_passes: bool = False
    # Whether one agency alone is asked: then no other's clock runs while the operator is silent.
    asks_one: bool = False
    asked: bool = False
    is_over: bool = False

    # --- what happens to it

    def say(self, said: str, **told: Any) -> None:
        self.events.append((said, told))

    def act(self, kind: str, **told: Any) -> None:
        self.acts.append(Act(kind, self.state, **told))

    def leads_to(self, event: str, to: str = "") -> str | None:
        for move in self.kind["transitions"]:
            if self.state in many(move["from"]) and move["event"] == event and to in ("", move["to"]):
                return str(move["to"])
        return None

    def move(self, event: str, to: str = "", *, is_told: bool = True) -> None:
        target = self.leads_to(event, to)
        if target is None:
            raise Impossible(f"{self.kind['key']}: {event} from {self.state}")
        before, self.state = self.state, target
        self.moves.append((before, event, target))
        self.milestones.append((target, ""))
        if is_told:
            self.say(INTAKE + "DocumentDecided", event=event, from_state=before, to_state=target)

    # --- steps and tasks

    def parts(self, step: Entry, reading: Reading) -> list[Part]:
        if step["agency"].get("decided"):
            signatures = 2 if step.get("mode") == "four_eyes" else 1
            return [Part(step, agency, rule, signatures, False) for agency, rule in self._deciders(step["agency"])]
        stage = step["agency"].get("rules")
        if stage:
            ruled = [rule for rule in reading.rules if rule.get("agency") and rule.get("stage", "clearance") == stage]
            return [self._part(step, str(rule["agency"]), rule, reading) for rule in ruled]
        agency = step["agency"].get("code") or self.facts[step["agency"]["fact"]]
        own = (rule for rule in reading.rules if rule.get("stage") == "registration" and rule.get("agency") == agency)
        return [self._part(step, agency, next(own, None), reading)]

    def _deciders(self, choice: Entry) -> list[tuple[str, str]]:
        """Who said what the step asks for, or the laboratories of those; the first alternative that anybody fits."""
        for wanted in choice["decided"]:
            found = {
                one.agency: one.rule for one in self.last_said(wanted["step"]) if one.outcome in wanted["outcomes"]
            }
            if found:
                of = self.book.laboratories if choice.get("laboratory") else {}
                return list({of.get(agency, agency): rule for agency, rule in found.items()}.items())
        return []

    def entered(self, step: str) -> int:
        return max((one.entry for one in self.said if one.step == step), default=0)

    def last_said(self, step: str) -> list[Said]:
        latest = self.entered(step)
        return [one for one in self.said if one.step == step and one.entry == latest]

    @property
    def exhausted(self) -> frozenset[str]:
        """Steps that the case may come to no more."""
        steps = self.kind.get("steps", ())
        return frozenset(one["key"] for one in steps if self.entered(one["key"]) >= one.get("entries_max", 1))

    def _part(self, step: Entry, agency: str, rule: Entry | None, reading: Reading) -> Part:
        by_step = step.get("mode") == "four_eyes"
        by_rule = bool(rule and (rule.get("four_eyes") or rule.get("mode") == "four_eyes"))
        by_others = bool(step.get("four_eyes_by_rule")) and reading.asks_four_eyes
        signatures = 2 if by_step or by_rule or by_others else 1
        by_itself = signatures == 1 and rule is not None and self._decides_itself(rule, reading)
        return Part(step, agency, str(rule["id"]) if rule else "", signatures, by_itself)

    def _decides_itself(self, rule: Entry, reading: Reading) -> bool:
        if reading.channel == "red" or rule["id"] in self.visits_due:
            return False
        if rule.get("automatic"):
            return holds(rule["automatic"], self.facts)
        return bool(rule.get("mode") == "automatic")

    def open(self, step: Entry, parts: list[Part], enters: str) -> None:
        for part in parts:
            self.tasks.append((part.agency, str(step["key"])))
            self.say(ROUTING + "TaskOpened", step=step["key"], agency=part.agency)
        if enters:
            self.move(enters)

    def decided(self, part: Part, outcome: str, quantity: Decimal | None = None) -> None:
        told = {"step": part.step["key"], "agency": part.agency, "outcome": outcome}
        self.say(ROUTING + "TaskDecided", **told, authorised_quantity=None if quantity is None else str(quantity))


def begin(book: Book, filed: Filed, script: Script, *, time_passes: bool = False) -> Life:
    """Of a submission that was taken, under the id that it got."""
    kind, facts = book.types[filed.type], judge(book, filed).facts
    life = Life(
        book=book,
        filed=filed,
        kind=kind,
        facts=facts,
        reading=table.read(book, facts, filed.known),
        script=script,
        body=filed.body,
        ledger=titles.ledger(kind, filed.body),
        state=kind["initial_state"],
        time_passes=time_passes,
    )
    if any(step.get("visit") for step in kind.get("steps", ())):
        life.visits_due = table.visits(book, life.reading, facts)
    life.say(INTAKE + "DocumentSubmitted", state=life.state)
    life.milestones.append((life.state, ""))
    return life
