"""The risk score: weights of things that exist, terms that can be looked back, alerts that can be raised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ..decisions import ALERTS_FACT
from ..errors import Finding
from ..expressions import names_used, validate
from ..history import GOODS_FACT
from ..model import Outcome
from ..scoring import SCORE_MAX
from ..source import Place
from .routing import INTAKE_FACTS, pattern_fault
from .subject import Subject

FILE = "risk.yaml"
ALERTS_FILE = "alerts.yaml"
# Further back nobody keeps what goods cost.
UNIT_VALUE_MONTHS_MAX = 24
FINDINGS_MONTHS_MAX = 120


def thresholds_rise(subject: Subject) -> Iterator[Finding]:
    thresholds = subject.pack.risk.thresholds
    if not 0 <= thresholds.orange < thresholds.red:
        yield subject.at(FILE, ("thresholds",), "red must come after orange")


def weights_are_of_known_things(subject: Subject) -> Iterator[Finding]:
    goods, countries = subject.pack.lists.get("hs"), subject.pack.lists.get("countries")
    chapters = {code[:2] for code in goods.members} if goods else set()
    for chapter in subject.pack.risk.chapter_weights:
        if goods and chapter not in chapters:
            yield subject.at(FILE, ("chapter_weights", chapter), f"unknown chapter {chapter}")
    for country in subject.pack.risk.origin_weights:
        if countries and country not in countries.members:
            yield subject.at(FILE, ("origin_weights", country), f"unknown country {country}")


def findings_can_be_counted(subject: Subject) -> Iterator[Finding]:
    weight = subject.pack.risk.past_findings
    if weight is None:
        return
    if not 1 <= weight.months <= FINDINGS_MONTHS_MAX:
        yield subject.at(FILE, ("past_findings", "months"), f"from one to {FINDINGS_MONTHS_MAX} months")
    if not 0 < weight.points_each <= weight.points_max <= SCORE_MAX:
        yield subject.at(FILE, ("past_findings",), "points_each is positive and not above points_max")
    if not any(outcome.non_conforming for outcome in _outcomes(subject)):
        yield subject.at(FILE, ("past_findings",), "no outcome of any step is non_conforming")


def unit_values_can_be_compared(subject: Subject) -> Iterator[Finding]:
    weight = subject.pack.risk.unit_values
    if weight is None:
        return
    if not 1 <= weight.months <= UNIT_VALUE_MONTHS_MAX or weight.samples_min < 1:
        message = f"from one to {UNIT_VALUE_MONTHS_MAX} months, and one sample or more"
        yield subject.at(FILE, ("unit_values",), message)
    for index, band in enumerate(weight.bands):
        if band.times <= 1 or not 0 < band.points <= SCORE_MAX:
            yield subject.at(FILE, ("unit_values", "bands", index), "more than once the median, for points above 0")
    if not any(GOODS_FACT in kind.facts for kind in subject.pack.document_types.values()):
        yield subject.at(FILE, ("unit_values",), f"no document type derives the fact {GOODS_FACT}")


def what_is_weighed_has_its_label(subject: Subject) -> Iterator[Finding]:
    """Where the score says why, it says it in every language."""
    risk = subject.pack.risk
    wanted = [name for name, weight in (("findings", risk.past_findings), ("value", risk.unit_values)) if weight]
    for name in wanted:
        if name not in risk.labels:
            yield subject.at(FILE, ("labels",), f"no labels say what {name} is")


def oddities_are_about_documents(subject: Subject) -> Iterator[Finding]:
    oddities = subject.pack.risk.oddities
    derived = INTAKE_FACTS.union(*(kind.facts for kind in subject.pack.document_types.values()))
    for index, odd in enumerate(oddities.list if oddities else ()):
        place = ("oddities", "list", index)
        if oddities and not 0 < odd.points <= oddities.points_max <= SCORE_MAX:
            yield subject.at(FILE, (*place, "points"), "points lie between 1 and points_max")
        asked = names_used(odd.when) if not validate(odd.when) else frozenset()
        for name in sorted(asked - derived):
            yield subject.at(FILE, (*place, "when"), f"no document type derives the fact {name}")


def alerts_can_be_raised(subject: Subject) -> Iterator[Finding]:
    goods, countries = subject.pack.lists.get("hs"), subject.pack.lists.get("countries")
    for index, alert in enumerate(subject.pack.alerts or ()):
        place = (*_alerts_root(subject), index)
        if not alert.origins and alert.hs is None:
            yield subject.at(ALERTS_FILE, place, f"{alert.id} names neither origins nor goods")
        if alert.from_ > (alert.to or date.max):
            yield subject.at(ALERTS_FILE, (*place, "to"), f"{alert.id} ends before it begins")
        for country in alert.origins:
            if countries and country not in countries.members:
                yield subject.at(ALERTS_FILE, (*place, "origins"), f"unknown country {country}")
        for pattern in alert.hs or ():
            if fault := pattern_fault(pattern, goods.members if goods else frozenset()):
                yield subject.at(ALERTS_FILE, (*place, "hs"), fault)


def alerts_are_heeded(subject: Subject) -> Iterator[Finding]:
    asked = [names_used(rule.when) for rule in subject.pack.rules if rule.when and not validate(rule.when)]
    if subject.pack.alerts and not any(ALERTS_FACT in names for names in asked):
        yield subject.at(ALERTS_FILE, (), f"no rule asks for {ALERTS_FACT}: nothing follows from an alert")


def _outcomes(subject: Subject) -> Iterator[Outcome]:
    for kind in subject.pack.document_types.values():
        for step in kind.steps:
            yield from step.outcomes.values()


def _alerts_root(subject: Subject) -> Place:
    return () if isinstance(subject.sources[ALERTS_FILE].value, list) else ("alerts",)


RULES = (
    thresholds_rise,
    weights_are_of_known_things,
    findings_can_be_counted,
    unit_values_can_be_compared,
    what_is_weighed_has_its_label,
    oddities_are_about_documents,
    alerts_can_be_raised,
    alerts_are_heeded,
)
