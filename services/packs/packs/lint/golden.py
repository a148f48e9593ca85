"""Golden cases act on steps, outcomes, states, prices and rules that the pack has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import Finding
from ..model import DocumentType
from ..source import Place, Source
from .subject import Subject

FILING_VERBS = ("submit", "tell_declaration", "draft", "bulk")


class Act(NamedTuple):
    """One step of a case; `kind` is the type of the document it speaks of, as far as it is known."""

    source: Source
    place: Place
    step: dict[str, Any]
    kind: DocumentType | None


def actors_are_known(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        actor = act.step.get("as")
        actors = act.source.value.get("actors") or {}
        if actor is not None and actor not in actors:
            yield act.source.finding((*act.place, "as"), f"unknown actor {actor}")


def actors_agencies_exist(subject: Subject) -> Iterator[Finding]:
    for source in subject.under("golden"):
        for name, actor in _mapping(_mapping(source.value).get("actors")).items():
            agency = _mapping(actor).get("agency")
            if agency is not None and agency not in subject.pack.agencies:
                yield source.finding(("actors", name), f"unknown agency {agency}")


def submitted_types_exist(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        for verb in FILING_VERBS:
            submitted = _mapping(act.step.get(verb)).get("type")
            if submitted is not None and submitted not in subject.pack.document_types:
                yield act.source.finding((*act.place, verb), f"unknown document type {submitted}")


def documents_were_saved(subject: Subject) -> Iterator[Finding]:
    for source in subject.under("golden"):
        saved: set[str] = set()
        for place, step in _entries(source, "steps"):
            name = _document(step) or _draft(step)
            if name is not None and name not in saved:
                yield source.finding(place, f"no earlier step saved {name}")
            saved |= set(_saved(step))
        for place, entry in _entries(source, "finally"):
            if entry.get("document") not in saved:
                yield source.finding(place, f"no step saved {entry.get('document')}")


def decisions_name_steps(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        step = _mapping(act.step.get("decide")).get("step")
        if step is not None and act.kind and act.kind.step(step) is None:
            yield act.source.finding((*act.place, "decide"), f"{act.kind.key} has no step {step}")


def questions_are_asked_where_they_may_be(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        asked = _mapping(act.step.get("request_information")).get("step")
        step = act.kind.step(str(asked)) if act.kind and asked is not None else None
        is_refused = step is not None and "expect_problem" in act.step
        if asked is not None and act.kind and not is_refused and (step is None or step.information is None):
            message = f"{act.kind.key} asks no information at {asked}"
            yield act.source.finding((*act.place, "request_information"), message)


def decisions_name_outcomes(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        decided = _mapping(act.step.get("decide"))
        step = act.kind.step(str(decided.get("step"))) if act.kind else None
        if step and decided.get("outcome") not in step.outcomes:
            yield act.source.finding((*act.place, "decide"), f"{step.key} has no outcome {decided.get('outcome')}")


def decisions_give_known_reasons(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        reason = _mapping(act.step.get("decide")).get("reason_code")
        if reason is not None and reason not in subject.pack.reasons:
            yield act.source.finding((*act.place, "decide"), f"unknown reason {reason}")


def decisions_impose_known_conditions(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        decided = _mapping(act.step.get("decide"))
        known = {one.key for one in act.kind.conditions_of(str(decided.get("step")))} if act.kind else set()
        for imposed in decided.get("imposes") or ():
            code = _mapping(imposed).get("code")
            if act.kind and code not in known and "expect_problem" not in act.step:
                yield act.source.finding((*act.place, "decide"), f"{decided.get('step')} sets no condition {code}")


def expected_states_exist(subject: Subject) -> Iterator[Finding]:
    for act in _acts(subject):
        expected = _mapping(act.step.get("expect")).get("state") or act.step.get("state")
        if isinstance(expected, str) and act.kind and act.kind.state(expected) is None:
            yield act.source.finding(act.place, f"{act.kind.key} has no state {expected}")


def expected_charges_have_a_price(subject: Subject) -> Iterator[Finding]:
    prices = {item.code for version in subject.pack.tariff for item in version.items}
    for act in _acts(subject):
        for charge in act.step.get("charges") or ():
            if _mapping(charge).get("tariff") not in prices:
                yield act.source.finding((*act.place, "charges"), f"no price {_mapping(charge).get('tariff')}")


def expected_notifications_have_a_rule(subject: Subject) -> Iterator[Finding]:
    known = {rule.id for rule in subject.pack.notification_rules}
    for act in _acts(subject):
        for expected in act.step.get("notifications") or ():
            for rule in _mapping(expected).get("rules") or ():
                if rule not in known:
                    yield act.source.finding((*act.place, "notifications"), f"unknown notification rule {rule}")


def _acts(subject: Subject) -> Iterator[Act]:
    """Steps and final expectations, each with the type of the document it names."""
    types = subject.pack.document_types
    for source in subject.under("golden"):
        kinds: dict[str, str] = {}
        for part in ("steps", "finally"):
            for place, step in _entries(source, part):
                named = _type(step) or kinds.get(str(_document(step) or _draft(step) or step.get("document")), "")
                kinds |= dict.fromkeys(_saved(step), str(named))
                yield Act(source, place, step, types.get(str(named)))


def _entries(source: Source, part: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    entries = _mapping(source.value).get(part)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (part, index), entry


def _type(step: dict[str, Any]) -> str | None:
    """That of what comes in with this step."""
    named = (_mapping(step.get(verb)).get("type") for verb in FILING_VERBS)
    return next((str(one) for one in named if one is not None), None)


def _saved(step: dict[str, Any]) -> list[str]:
    """Of a file, its rows by their numbers."""
    name, rows = step.get("save"), _mapping(step.get("bulk")).get("rows")
    if not isinstance(name, str):
        return []
    return [f"{name}.{number}" for number in range(1, len(rows) + 1)] if isinstance(rows, list) else [name]


def _document(step: dict[str, Any]) -> str | None:
    """The saved document an act is about."""
    return _named(step, "document")


def _draft(step: dict[str, Any]) -> str | None:
    return _named(step, "draft")


def _named(step: dict[str, Any], what: str) -> str | None:
    names = (_mapping(value).get(what) for value in step.values())
    return next((name for name in names if isinstance(name, str)), None)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


RULES = (
    actors_are_known,
    actors_agencies_exist,
    submitted_types_exist,
    documents_were_saved,
    decisions_name_steps,
    questions_are_asked_where_they_may_be,
    decisions_name_outcomes,
    decisions_give_known_reasons,
    decisions_impose_known_conditions,
    expected_states_exist,
    expected_charges_have_a_price,
    expected_notifications_have_a_rule,
)
