"""A rule table proposed for a pack, examined by the pack's own lint; and what is worth a second look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..decisions import DecisionTable
from ..errors import ExpressionError, Finding
from ..expressions import validate
from ..goods import prefixes
from ..model import Pack, Rule
from ..source import Place, Source
from ..tables import under
from . import expressions, labels, references, risk, routing, visits
from .subject import Subject

RULES_MAX = 500
FINDINGS_MAX = 200
LINES = "\n" * 10_000
CHECKS = (
    labels.every_language,
    references.agencies_of_rules_exist,
    references.document_types_of_rules_exist,
    *routing.RULES,
    visits.visit_shares_are_shares,
    risk.alerts_are_heeded,
    expressions.rules_can_be_decided,
)


@dataclass(frozen=True)
class Fault:
    """`pointer` leads into the proposal."""

    pointer: str
    message: str


@dataclass(frozen=True)
class Examined:
    rules: tuple[Rule, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class _Noted(Source):
    """Says the place of each finding instead of a line: a proposal has none."""

    places: list[Place] = field(default_factory=list)

    def line(self, place: Place) -> int:
        self.places.append(place)
        return len(self.places)


def examine_table(pack: Pack, table: str, written: Sequence[Any]) -> Examined:
    """`pack` whole, as it was read: with its lists, schemas and examples."""
    rules, faults = _read(written)
    if faults:
        return Examined((), tuple(faults[:FINDINGS_MAX]))
    proposed = under(pack, table, tuple(rules))
    found = _faults(proposed, written)
    warnings = () if found else tuple(_warnings(pack, proposed))
    return Examined(tuple(rules), tuple(found[:FINDINGS_MAX]), warnings[:FINDINGS_MAX])


def _read(written: Sequence[Any]) -> tuple[list[Rule], list[Fault]]:
    if not 1 <= len(written) <= RULES_MAX:
        return [], [Fault("/rules", f"from one to {RULES_MAX} rules")]
    rules: list[Rule] = []
    faults: list[Fault] = []
    for index, one in enumerate(written):
        try:
            rules.append(msgspec.convert(one, Rule))
        except (msgspec.ValidationError, ValueError) as error:
            faults.append(Fault(f"/rules/{index}", str(error)))
            continue
        if any(rule.id == rules[-1].id for rule in rules[:-1]):
            faults.append(Fault(f"/rules/{index}/id", f"{rules[-1].id} is given twice"))
    return rules, faults


def _faults(proposed: Pack, written: Sequence[Any]) -> list[Fault]:
    source = _Noted(routing.FILE, LINES, {"rules": list(written)})
    subject = Subject(proposed, {routing.FILE: source})
    unread = [
        Fault(_pointer(("rules", index, *place)), f"not an expression: {fault}")
        for index, rule in enumerate(proposed.rules)
        for place, text in visits.conditions_of(rule)
        if (fault := validate(text))
    ]
    if unread:
        return unread
    found = [finding for check in CHECKS for finding in check(subject)]
    return list(dict.fromkeys(_fault(finding, source) for finding in found))


def _fault(finding: Finding, source: _Noted) -> Fault:
    place = source.places[finding.line - 1] if finding.file == source.name else ("rules",)
    return Fault(_pointer(place), finding.message)


def _pointer(place: Place) -> str:
    return "".join(f"/{step}" for step in place)


def _warnings(pack: Pack, proposed: Pack) -> Iterator[Fault]:
    yield from _never_heard(proposed.rules)
    yield from _no_longer_asked(pack, proposed)
    yield from _refused_examples(proposed)


def _never_heard(rules: Sequence[Rule]) -> Iterator[Fault]:
    """Overlap: an earlier rule speaks for the same agency and document wherever this one would."""
    for index, rule in enumerate(rules):
        earlier = (one for one in rules[:index] if rule.agency and _covers(one, rule))
        if (first := next(earlier, None)) is not None:
            yield Fault(f"/rules/{index}", f"{rule.id} is never heard: {first.id} speaks before it")


def _covers(first: Rule, second: Rule) -> bool:
    if (first.agency, first.document) != (second.agency, second.document) or first.when or first.share is not None:
        return False
    return (
        first.direction in {"any", second.direction}
        and (first.types is None or (second.types is not None and set(second.types) <= set(first.types)))
        and (first.regimes is None or _within(second.regimes, first.regimes))
        and (first.hs is None or (second.hs is not None and _within(_prefixes(second.hs), _prefixes(first.hs))))
    )


def _within(inner: Sequence[str] | None, outer: Sequence[str]) -> bool:
    return inner is not None and all(one.startswith(tuple(outer)) for one in inner)


def _prefixes(patterns: Sequence[str]) -> list[str]:
    return [prefix for pattern in patterns for prefix in prefixes(pattern)]


def _no_longer_asked(pack: Pack, proposed: Pack) -> Iterator[Fault]:
    """Completeness: what somebody had a say about before, and nobody has any more."""
    asked = {(rule.agency, rule.document) for rule in proposed.rules}
    for agency, document in dict.fromkeys((rule.agency, rule.document) for rule in pack.rules if rule.agency):
        if (agency, document) not in asked:
            yield Fault("/rules", f"nobody asks {agency} for {document} any more")


def _refused_examples(proposed: Pack) -> Iterator[Fault]:
    subject = Subject(proposed, {})
    table = DecisionTable.of(proposed)
    for kind, body in expressions.examples_of(subject):
        try:
            refusals = table.admission(expressions.facts_of(subject, kind, body))
        except ExpressionError:
            continue
        for rule in refusals:
            yield Fault("/rules", f"{rule.id} refuses an example of {kind.key}")
