"""The case of a document: every event a step raises is a move the document can then make."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Step
from .subject import Subject
from .ways import after, walk

OUTCOME = re.compile(r"[a-z][a-z_]{0,39}")
ROLES = frozenset({"agency_officer", "bank_officer", "customs_officer", "finance_officer", "operator_admin"})


def events_have_a_transition(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, before, opened in walk(kind):
            if not opened:
                message = f"no transition {kind.steps[index].enters} from {_listed(before)}"
                yield subject.at(file, ("steps", index, "enters"), message)
            yield from _outcomes_without_transition(subject, kind, file, index, opened or before)


def steps_have_one_agency(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            chosen = [
                way for way in (step.agency.code, step.agency.fact, step.agency.rules, step.agency.decided) if way
            ]
            if len(chosen) != 1:
                message = "exactly one of code, fact, rules and decided is needed"
                yield subject.at(file, ("steps", index, "agency"), message)
            elif step.agency.fact and step.agency.fact not in kind.facts:
                yield subject.at(file, ("steps", index, "agency"), f"unknown fact {step.agency.fact}")


def steps_are_named_once(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        keys = [step.key for step in kind.steps]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                yield subject.at(file, ("steps", index), f"step {key} is given twice")


def steps_can_go_on(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            if all(outcome.then == "close" for outcome in step.outcomes.values()):
                yield subject.at(file, ("steps", index, "outcomes"), "no outcome lets the case go on")


def steps_have_a_clock(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            if step.sla_seconds <= 0:
                yield subject.at(file, ("steps", index, "sla_seconds"), "a term is a positive number of seconds")


def roles_are_known(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            if step.role not in ROLES:
                yield subject.at(file, ("steps", index, "role"), f"unknown role {step.role}")


def outcomes_are_words(subject: Subject) -> Iterator[Finding]:
    """As the public interface takes them."""
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            for name in step.outcomes:
                if not OUTCOME.fullmatch(name):
                    yield subject.at(file, ("steps", index, "outcomes", name), f"{name} is no outcome: small letters")


def needed_reasons_exist(subject: Subject) -> Iterator[Finding]:
    explained = {outcome for reason in subject.pack.reasons.values() for outcome in reason.outcomes}
    for kind, file in _types(subject):
        for index, step in enumerate(kind.steps):
            for name, outcome in step.outcomes.items():
                if outcome.needs_reason and name not in explained:
                    yield subject.at(file, ("steps", index, "outcomes", name), f"no reason is given for {name}")


def amending_steps(kind: DocumentType) -> Iterator[tuple[str, int, Step]]:
    """Of each way a version may come, with the key it stands under."""
    for key, amendment in (("amendment", kind.amendment), ("bank_change", kind.bank_change)):
        for index, step in enumerate(amendment.steps if amendment is not None else ()):
            yield key, index, step


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str]]:
    for kind in subject.pack.document_types.values():
        yield kind, subject.type_files[kind.key]


def _outcomes_without_transition(
    subject: Subject, kind: DocumentType, file: str, index: int, here: frozenset[str]
) -> Iterator[Finding]:
    for name, outcome in kind.steps[index].outcomes.items():
        if not after(kind, here, outcome.event):
            message = f"no transition {outcome.event} from {_listed(here)}"
            yield subject.at(file, ("steps", index, "outcomes", name), message)


def _listed(states: frozenset[str]) -> str:
    return " or ".join(sorted(states))


RULES = (
    events_have_a_transition,
    steps_have_one_agency,
    steps_are_named_once,
    steps_can_go_on,
    steps_have_a_clock,
    roles_are_known,
    outcomes_are_words,
    needed_reasons_exist,
)
