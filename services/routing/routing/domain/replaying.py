"""What a rule table would have changed: past cases judged again from what is stored of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from packs.model import Rule
from packs.tables import under

from .cases import Case
from .procedure import Procedure, Rulebook


@dataclass(frozen=True)
class Outlook:
    """What a judgement means for a document: its rules, its channel, and for whom it is a task."""

    rules: tuple[str, ...]
    channel: str
    tasks: tuple[str, ...]

    @property
    def plain(self) -> dict[str, Any]:
        return {"rules": list(self.rules), "channel": self.channel, "tasks": list(self.tasks)}


@dataclass(frozen=True)
class Changed:
    document_id: str
    reference: str
    document_type: str
    before: Outlook
    after: Outlook


@dataclass
class Report:
    """Counts of one replay. `refused`: documents that the table would not have admitted."""

    cases: int = 0
    changed: int = 0
    rules_gained: Counter[str] = field(default_factory=Counter)
    rules_lost: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def count(self, before: Outlook, after: Outlook, refused: tuple[str, ...]) -> bool:
        """Whether anything differs."""
        self.cases += 1
        self.channels[f"{before.channel}>{after.channel}"] += 1
        self.refused.update(refused)
        if before == after and not refused:
            return False
        self.changed += 1
        self.rules_gained.update(set(after.rules) - set(before.rules))
        self.rules_lost.update(set(before.rules) - set(after.rules))
        self.tasks.update(after.tasks)
        self.tasks.subtract(before.tasks)
        return True

    @property
    def plain(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "changed": self.changed,
            "rules": {name: [self.rules_gained[name], self.rules_lost[name]] for name in self._names()},
            "tasks": {agency: delta for agency, delta in sorted(self.tasks.items()) if delta},
            "channels": dict(sorted(self.channels.items())),
            "refused": dict(sorted(self.refused.items())),
        }

    def _names(self) -> list[str]:
        return sorted({*self.rules_gained, *self.rules_lost})


class Replayer:
    """Judges past cases by a table, with the lots as they fell: each draws under the table the case was opened by."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._books: dict[str, Rulebook] = {}

    def outlooks(self, case: Case, rulebook: Rulebook) -> tuple[Outlook, Outlook, tuple[str, ...]]:
        """Before, after, and the rules that would have refused it. `rulebook` is the case's own."""
        before = _outlook(case.rules, case.channel, case.first_procedure(rulebook))
        judged, kind = case.first_judged(), case.document.document_type
        proposed = self._proposed(case, rulebook)
        plan = proposed.table.plan(judged.facts, judged.history)
        due = proposed.table.visits(plan, judged.facts) if proposed.type(kind).has_visits else ()
        procedure = proposed.procedure(kind, judged.facts, plan.rules, plan.lane.channel)
        procedure = replace(procedure, visits=frozenset(visit.rule for visit in due if visit.due))
        after = _outlook(tuple(rule.id for rule in plan.rules), plan.lane.channel, procedure)
        return before, after, tuple(rule.id for rule in plan.admission)

    def _proposed(self, case: Case, rulebook: Rulebook) -> Rulebook:
        key = case.document.pack_version
        if key not in self._books:
            self._books[key] = Rulebook.of(under(rulebook.pack, rulebook.table.version, self._rules))
        return self._books[key]


def _outlook(rules: tuple[str, ...], channel: str, procedure: Procedure) -> Outlook:
    return Outlook(rules, channel, tuple(sorted(_agencies(procedure))))


def _agencies(procedure: Procedure) -> Iterator[str]:
    for step in procedure.type.steps:
        yield from (part.agency for part in procedure.assignments(step))
