"""Expressions parse, and give an answer on every example the pack itself provides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..decisions import ALERTS_FACT, DecisionTable
from ..errors import ExpressionError, Finding
from ..expressions import compile, names_used, validate
from ..history import UNKNOWN
from ..model import DocumentType, Oddity, Rule
from ..source import Place
from .subject import Subject
from .visits import conditions_of

# What intake adds to the facts it derives; the figures only have to be of the right kind.
_OWN_FACTS: dict[str, Any] = {
    "owner_organisation_id": "example",
    "submitter_organisation_id": "example",
    "owner_attributes": [],
    "owner_billing_mode": "subscription",
    "national_value_minor": 1,
    "submitted_at": "2026-01-05T09:00:00Z",
    "document_id": "example",
    ALERTS_FACT: [],
    **UNKNOWN.facts(),
}
Written = tuple[str, Place, str]


def expressions_parse(subject: Subject) -> Iterator[Finding]:
    for file, place, text in _written(subject):
        fault = validate(text)
        if fault:
            yield subject.at(file, place, f"not an expression: {fault}{_hint(subject, file, place)}")


def facts_can_be_derived(subject: Subject) -> Iterator[Finding]:
    for kind, body in examples_of(subject):
        for name, text in kind.facts.items():
            fault = _fault(text, {"body": body, **_given(subject)})
            if fault:
                yield subject.at(subject.type_files[kind.key], ("facts", name), f"on the example: {fault}")


def examples_pass_their_checks(subject: Subject) -> Iterator[Finding]:
    for kind, body in examples_of(subject):
        for index, check in enumerate(kind.checks):
            fault = _unmet(check.expression, {"body": body, **_given(subject)})
            if fault:
                place = ("checks", index, "expression")
                yield subject.at(subject.type_files[kind.key], place, f"on the example: {fault}")


def rules_can_be_decided(subject: Subject) -> Iterator[Finding]:
    """Every condition is tried on the facts of every example its rule may meet, goods apart."""
    for kind, body in examples_of(subject):
        facts = facts_of(subject, kind, body)
        underived = kind.facts.keys() - facts.keys()
        yield from _undecided_oddities(subject, kind, facts)
        for index, rule in enumerate(subject.pack.rules):
            for place, text in _conditions(rule, kind):
                if names_used(text) & underived:
                    continue
                fault = _undecided(text, facts)
                if fault:
                    yield subject.at("routing.yaml", ("rules", index, *place), f"on the example of {kind.key}: {fault}")


def _undecided_oddities(subject: Subject, kind: DocumentType, facts: dict[str, Any]) -> Iterator[Finding]:
    for index, odd in enumerate(_oddities(subject)):
        fault = _undecided(odd.when, facts)
        if fault:
            place = ("oddities", "list", index, "when")
            yield subject.at("risk.yaml", place, f"on the example of {kind.key}: {fault}")


def examples_are_admitted(subject: Subject) -> Iterator[Finding]:
    try:
        table = DecisionTable.of(subject.pack)
    except (ExpressionError, ValueError):
        return  # said where the condition or the goods stand
    for kind, body in examples_of(subject):
        for rule in _refusals(table, facts_of(subject, kind, body)):
            place = ("examples", subject.examples[kind.key].index(body))
            yield subject.at(subject.schema_file(kind), place, f"rule {rule.id} refuses the example")


def step_agencies_exist(subject: Subject) -> Iterator[Finding]:
    for kind, body in examples_of(subject):
        facts = facts_of(subject, kind, body)
        for index, step in enumerate(kind.steps):
            agency = facts.get(step.agency.fact) if step.agency.fact else None
            if agency is not None and agency not in subject.pack.agencies:
                place = ("steps", index, "agency")
                yield subject.at(subject.type_files[kind.key], place, f"on the example: unknown agency {agency}")


def _written(subject: Subject) -> Iterator[Written]:
    yield from _of_routing(subject)
    for key, kind in subject.pack.document_types.items():
        file = subject.type_files[key]
        for name, text in kind.facts.items():
            yield file, ("facts", name), text
        for index, check in enumerate(kind.checks):
            yield file, ("checks", index, "expression"), check.expression
    for index, notification in enumerate(subject.pack.notification_rules):
        if notification.when is not None:
            yield "notifications.yaml", ("rules", index, "when"), notification.when


def _hint(subject: Subject, file: str, place: Place) -> str:
    line = subject.sources[file].text.splitlines()[subject.sources[file].line(place) - 1]
    return " (unquoted, ` #` begins a comment)" if " #" in line else ""


def _of_routing(subject: Subject) -> Iterator[Written]:
    for index, rule in enumerate(subject.pack.rules):
        for place, text in conditions_of(rule):
            yield "routing.yaml", ("rules", index, *place), text
    for index, odd in enumerate(_oddities(subject)):
        yield "risk.yaml", ("oddities", "list", index, "when"), odd.when


def _oddities(subject: Subject) -> Sequence[Oddity]:
    return subject.pack.risk.oddities.list if subject.pack.risk.oddities else ()


def _conditions(rule: Rule, kind: DocumentType) -> Iterator[tuple[Place, str]]:
    if "any" not in {rule.direction, kind.direction} and rule.direction != kind.direction:
        return
    if rule.types is not None and kind.key not in rule.types:
        return
    family = kind.key.partition(".")[0]
    if rule.requires_type is not None and rule.requires_type.partition(".")[0] != family:
        return
    for place, text in conditions_of(rule):
        if place[0] in {"when", "automatic"} or kind.has_visits:
            yield place, text


def examples_of(subject: Subject) -> Iterator[tuple[DocumentType, Any]]:
    for key, kind in subject.pack.document_types.items():
        for body in subject.examples[key]:
            yield kind, body


def _given(subject: Subject) -> dict[str, Any]:
    """What a document's expressions may ask beside the body."""
    return {"rates": {rate.currency: float(rate.per_unit) for rate in subject.pack.rates}, "lists": {}}


def facts_of(subject: Subject, kind: DocumentType, body: Any) -> dict[str, Any]:
    facts = {"type": kind.key, "direction": kind.direction, **_OWN_FACTS}
    given = {"body": body, **_given(subject)}
    for name, text in kind.facts.items():
        with suppress(ExpressionError):
            facts[name] = compile(text).evaluate(given)
    return facts


def _fault(text: str, facts: dict[str, Any]) -> str | None:
    """What goes wrong on these facts; a text that is no expression has been reported already."""
    try:
        compile(text).evaluate(facts)
    except ExpressionError as error:
        return None if validate(text) else error.reason
    return None


def _unmet(text: str, facts: dict[str, Any]) -> str | None:
    try:
        return None if compile(text).holds(facts) else "the check is not met"
    except ExpressionError as error:
        return None if validate(text) else error.reason


def _undecided(text: str, facts: dict[str, Any]) -> str | None:
    try:
        compile(text).holds(facts)
    except ExpressionError as error:
        return None if validate(text) else error.reason
    return None


def _refusals(table: DecisionTable, facts: dict[str, Any]) -> list[Rule]:
    try:
        return table.admission(facts)
    except ExpressionError:
        return []


RULES = (
    expressions_parse,
    facts_can_be_derived,
    examples_pass_their_checks,
    rules_can_be_decided,
    examples_are_admitted,
    step_agencies_exist,
)
