"""What a document type's steps come to for one document: which agencies, how many eyes, how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from kit.errors import Invalid
from packs.calendar import AlwaysCalendar, WorkingCalendar
from packs.decisions import DecisionTable
from packs.model import DocumentType, Escalation, Labels, Outcome, Pack, Reason, Rule, Step, Tacit

from .branching import deciders
from .tasks import Quantity, Task
from .timers import LADDER_DEFAULT, Calendars, Rung, calendar_named

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Assignment:
    """One agency's part in a step. `rule` says why, and is empty where the type itself asks."""

    step: Step
    agency: str
    rule: str
    mode: str
    sla_seconds: int
    calendar: str
    signatures_required: int
    is_automatic: bool
    tacit: Tacit | None = None


@dataclass(frozen=True)
class Route:
    agency: str
    document: str
    mode: str
    sla_seconds: int
    rule: str
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True)
class Rulebook:
    """What one version of the pack says to routing."""

    pack: Pack
    table: DecisionTable
    calendars: Calendars

    @classmethod
    def of(cls, pack: Pack) -> Rulebook:
        calendars: Calendars = {"working": WorkingCalendar(pack.calendar), "always": AlwaysCalendar()}
        return cls(pack, DecisionTable.of(pack), calendars)

    def type(self, key: str) -> DocumentType:
        found = self.pack.document_types.get(key)
        if found is None:
            raise Invalid("INVALID_DOCUMENT", f"there is no document type {key!r}")
        return found

    def escalations(self, step: Step) -> tuple[Escalation, ...]:
        return step.ladder or self.pack.ladder or ()

    def escalation(self, type_key: str, step_key: str, rung: str) -> Escalation:
        """What the pack says of a rung; those told were the same before packs could say."""
        step = self.type(type_key).step(step_key)
        known = (one for one in (self.escalations(step) if step else ()) if one.key == rung)
        return next(known, Escalation(key=rung, at=Decimal(1), notify=("agency", "owner"), labels={}))

    def procedure(
        self, type_key: str, facts: Facts, rules: tuple[Rule, ...], channel: str, amending: tuple[str, ...] = ()
    ) -> Procedure:
        return Procedure(self.type(type_key), rules, facts, channel, self, amending)

    def laboratory_of(self, agency: str) -> str:
        known = self.pack.agencies.get(agency)
        return known.laboratory or agency if known else agency

    def rules(self, ids: tuple[str, ...]) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.table.rules if rule.id in ids)


@dataclass(frozen=True)
class Procedure:
    """A document type under the rules one document met.

    `amending` names the steps that an amendment calls for, `visits` the rules whose agencies must visit the goods.
    """

    type: DocumentType
    rules: tuple[Rule, ...]
    facts: Facts
    channel: str
    rulebook: Rulebook
    amending: tuple[str, ...] = ()
    visits: frozenset[str] = field(default_factory=frozenset)

    @property
    def steps(self) -> tuple[Step, ...]:
        if not self.amending:
            return self.type.steps
        return tuple(step for step in self.type.amending_steps if step.key in self.amending)

    @property
    def calendars(self) -> Calendars:
        return self.rulebook.calendars

    @property
    def reasons(self) -> Mapping[str, Reason]:
        return self.rulebook.pack.reasons

    def step(self, key: str) -> Step:
        found = self.type.step(key)
        if found is None:
            raise Invalid("INVALID_DOCUMENT", f"{self.type.key} has no step {key!r}")
        return found

    def target(self, outcome: Outcome) -> Step | None:
        return self.step(outcome.leads_to) if outcome.leads_to else None

    def ladder(self, step: Step) -> tuple[Rung, ...]:
        rungs = self.rulebook.escalations(step)
        return tuple(Rung(one.key, one.percent, one.after_seconds or 0) for one in rungs) or LADDER_DEFAULT

    def steps_after(self, key: str) -> tuple[Step, ...]:
        """All of them when there is none yet."""
        keys = [step.key for step in self.steps]
        return self.steps[keys.index(key) + 1 :] if key else self.steps

    def steps_from(self, key: str) -> tuple[Step, ...]:
        keys = [step.key for step in self.steps]
        return self.steps[keys.index(key) :]

    def asked_quantity(self) -> Quantity | None:
        """What a decision may reduce: the quantity of the only line. Of several, nobody could say which gives way."""
        lines: Sequence[Mapping[str, Any]] = self.facts.get("quantities") or ()
        if len(lines) != 1:
            return None
        return Quantity(Decimal(str(lines[0]["value"])), str(lines[0]["unit"]))

    def assignments(self, step: Step, tasks: Sequence[Task] = ()) -> tuple[Assignment, ...]:
        """Whom the step asks; `tasks` are those of the case so far."""
        if step.agency.decided:
            return tuple(self._by_decision(step, agency, rule) for agency, rule in self._deciders(step, tasks).items())
        if step.agency.rules is not None:
            staged = (rule for rule in self.rules if rule.stage == step.agency.rules and rule.agency)
            return tuple(self._by_rule(step, rule) for rule in staged)
        return (self._by_type(step, self._agency(step)),)

    def routes(self) -> tuple[Route, ...]:
        """Every matched rule that gives an agency a say, then what only the type itself asks."""
        assignments = [part for step in self.type.steps for part in self.assignments(step)]
        by_rule = {part.rule: part for part in assignments if part.rule}
        ruled = (_route_of_rule(rule, by_rule.get(rule.id)) for rule in self.rules if rule.agency)
        own = (_route_of_step(part) for part in assignments if not part.rule)
        return (*ruled, *own)

    def due_at(self, now: datetime) -> datetime:
        """When the last step is due if each takes all its time; parallel parts take the longest."""
        return self.due_after("", now)

    def due_after(self, key: str, moment: datetime) -> datetime:
        """When the last step is due if the one with this key ends at that moment."""
        for step in self.steps_after(key):
            moment = max((self._ends(part, moment) for part in self.assignments(step)), default=moment)
        return moment

    def _ends(self, part: Assignment, start: datetime) -> datetime:
        return (
            start if part.is_automatic else calendar_named(part.calendar, self.calendars).add(start, part.sla_seconds)
        )

    def _by_rule(self, step: Step, rule: Rule) -> Assignment:
        signatures = 2 if self._needs_four_eyes(step, rule) else 1
        return Assignment(
            step,
            rule.agency or "",
            rule.id,
            _mode(rule, signatures),
            sla_seconds=rule.sla_seconds or step.sla_seconds,
            calendar=rule.calendar if rule.sla_seconds else step.calendar,
            signatures_required=signatures,
            is_automatic=signatures == 1 and self._decides_itself(rule),
            tacit=self._tacit(step, signatures),
        )

    def _deciders(self, step: Step, tasks: Sequence[Task]) -> dict[str, str]:
        """The agencies, each with the rule it was first asked by."""
        found = deciders(step.agency, tasks)
        if not step.agency.laboratory:
            return {task.agency: task.rule for task in found}
        return {self.rulebook.laboratory_of(task.agency): task.rule for task in found}

    def _by_decision(self, step: Step, agency: str, rule: str) -> Assignment:
        signatures = 2 if step.mode == "four_eyes" else 1
        tacit = self._tacit(step, signatures)
        return Assignment(step, agency, rule, step.mode, step.sla_seconds, step.calendar, signatures, False, tacit)

    def _by_type(self, step: Step, agency: str) -> Assignment:
        """A registration rule for the same agency is the reason of the step, and may add eyes to it."""
        rule = next((rule for rule in self.rules if rule.stage == "registration" and rule.agency == agency), None)
        signatures = 2 if self._needs_four_eyes(step, rule) else 1
        return Assignment(
            step,
            agency,
            rule.id if rule else "",
            "four_eyes" if signatures == 2 else step.mode,
            sla_seconds=step.sla_seconds,
            calendar=step.calendar,
            signatures_required=signatures,
            is_automatic=signatures == 1 and rule is not None and self._decides_itself(rule),
            tacit=self._tacit(step, signatures),
        )

    def _agency(self, step: Step) -> str:
        if step.agency.code is not None:
            return step.agency.code
        agency = self.facts.get(step.agency.fact or "")
        if not isinstance(agency, str) or not agency:
            raise Invalid("INVALID_DOCUMENT", f"step {step.key}: the fact {step.agency.fact!r} names no agency")
        return agency

    def _needs_four_eyes(self, step: Step, rule: Rule | None) -> bool:
        if step.mode == "four_eyes" or (rule is not None and (rule.four_eyes or rule.mode == "four_eyes")):
            return True
        return step.four_eyes_by_rule and any(other.four_eyes for other in self.rules)

    def _tacit(self, step: Step, signatures: int) -> Tacit | None:
        """What silence means here: nothing where somebody must look, or two must sign, unless the pack says so."""
        tacit = step.tacit
        if tacit is None or self.channel not in tacit.channels or (signatures > 1 and not tacit.four_eyes):
            return None
        return tacit

    def _decides_itself(self, rule: Rule) -> bool:
        """Never on the red channel: there, somebody looks."""
        if self.channel == "red" or rule.id in self.visits:
            return False
        always = rule.mode == "automatic" and rule.automatic is None
        return always or self.rulebook.table.is_automatic(rule, self.facts)


def automatic_outcome(step: Step) -> tuple[str, Outcome]:
    """The first that lets the case go on, or ends it well."""
    return next((key, outcome) for key, outcome in step.outcomes.items() if outcome.then != "close")


def _mode(rule: Rule, signatures: int) -> str:
    if signatures == 2:
        return "four_eyes"
    return "documentary" if rule.mode == "automatic" else rule.mode


def _route_of_rule(rule: Rule, part: Assignment | None) -> Route:
    mode, sla_seconds = (_mode_of(part), part.sla_seconds) if part else (rule.mode, rule.sla_seconds or 0)
    return Route(rule.agency or "", rule.document or "", mode, sla_seconds, rule.id, rule.labels)


def _route_of_step(part: Assignment) -> Route:
    return Route(part.agency, "", _mode_of(part), part.sla_seconds, part.step.key, part.step.labels)


def _mode_of(part: Assignment) -> str:
    return "automatic" if part.is_automatic else part.mode
