"""Amendments: they begin where nobody is at work, come back to where they began, and ask whom they must."""

from __future__ import annotations

from collections.abc import Iterator

from ..amendments import AMENDING, BEFORE, CHANGING_BANK, Way, covers
from ..errors import Finding
from ..model import Amendment, AmendmentStep, DocumentType, Step
from .steps import ROLES
from .subject import Subject

WAYS = {"amendment": AMENDING, "bank_change": CHANGING_BANK}
FIXED_ON_TITLES = ("/lines/0/hs_code", "/lines/0/quantity/unit")


def states_lead_there_and_back(subject: Subject) -> Iterator[Finding]:
    for kind, file, key, amendment in _types(subject):
        for index, state in enumerate(amendment.states):
            for message in _dead_ends(kind, WAYS[key], state):
                yield subject.at(file, (key, "states", index), message)


def _dead_ends(kind: DocumentType, way: Way, state: str) -> Iterator[str]:
    if kind.state(state) is None:
        yield f"unknown state {state}"
        return
    asked = kind.transition(state, way.asks)
    if asked is None:
        yield f"no transition {way.asks} from {state}"
        return
    for event in (way.accepts, way.rejects):
        if kind.transition(asked.to, event, state) is None:
            yield f"no transition {event} from {asked.to} back to {state}"


def nobody_is_at_work(subject: Subject) -> Iterator[Finding]:
    """A step that decides while an amendment is looked at would find the document gone."""
    for kind, file, key, amendment in _types(subject):
        events = {event for step in kind.steps for event in (step.enters, *_events(step)) if event}
        for index, state in enumerate(amendment.states):
            for event in sorted(events):
                if kind.transition(state, event) is not None:
                    message = f"a step may still raise {event} in {state}"
                    yield subject.at(file, (key, "states", index), message)


def _events(step: Step) -> list[str]:
    return [outcome.event for outcome in step.outcomes.values()]


def fields_are_pointers(subject: Subject) -> Iterator[Finding]:
    for kind, file, key, amendment in _types(subject):
        if not amendment.fields:
            yield subject.at(file, (key, "fields"), "an amendment that may change nothing")
        for index, field in enumerate(amendment.fields):
            if not field.startswith("/"):
                yield subject.at(file, (key, "fields", index), f"{field} is not a pointer")
            if kind.title and any(covers(field, fixed) for fixed in FIXED_ON_TITLES):
                yield subject.at(file, (key, "fields", index), f"{field}: a title's goods and units are fixed")


def steps_look_at_what_may_change(subject: Subject) -> Iterator[Finding]:
    for _, file, key, amendment in _types(subject):
        for index, step in enumerate(amendment.steps):
            for field in step.fields:
                if not any(covers(known, field) for known in amendment.fields):
                    yield subject.at(file, (key, "steps", index, "fields"), f"{field} may not change")


def steps_can_be_worked(subject: Subject) -> Iterator[Finding]:
    explained = {outcome for reason in subject.pack.reasons.values() for outcome in reason.outcomes}
    for kind, file, key, amendment in _types(subject):
        others = (kind.amendment.steps if kind.amendment else ()) if key == "bank_change" else ()
        taken = [step.key for step in (*kind.steps, *others)]
        for index, step in enumerate(amendment.steps):
            for message in _faults(subject, kind, step, taken, explained):
                yield subject.at(file, (key, "steps", index), message)
            taken.append(step.key)


def _faults(
    subject: Subject, kind: DocumentType, step: AmendmentStep, taken: list[str], explained: set[str]
) -> Iterator[str]:
    if step.key in taken:
        yield f"step {step.key} is given twice"
    yield from _agency_faults(subject, kind, step)
    if step.role not in ROLES:
        yield f"unknown role {step.role}"
    if step.sla_seconds <= 0:
        yield "a term is a positive number of seconds"
    if not any(outcome.then == "next" for outcome in step.outcomes.values()):
        yield "no outcome lets the amendment go on"
    if step.enters or any(_events(step)):
        yield "the steps of an amendment raise no events: the document moves when it is accepted or rejected"
    for name, outcome in step.outcomes.items():
        if outcome.needs_reason and name not in explained:
            yield f"no reason is given for {name}"


def _agency_faults(subject: Subject, kind: DocumentType, step: AmendmentStep) -> Iterator[str]:
    if bool(step.agency.code) == bool(step.agency.fact) or step.agency.rules:
        yield "exactly one of code and fact is needed"
    elif step.agency.fact and step.agency.fact.removeprefix(BEFORE) not in kind.facts:
        yield f"unknown fact {step.agency.fact}"
    elif step.agency.code and step.agency.code not in subject.pack.agencies:
        yield f"unknown agency {step.agency.code}"


def banks_change_in_their_places(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        change, file = kind.bank_change, subject.type_files[kind.key]
        if change is None:
            continue
        for name in ("bank", "branch", "account"):
            field = getattr(change, name)
            if field and not any(covers(known, field) for known in change.fields):
                yield subject.at(file, ("bank_change", name), f"{field} may not change")
        for state, step in change.resumes.items():
            yield from _resumption_faults(subject, kind, state, step)


def _resumption_faults(subject: Subject, kind: DocumentType, state: str, key: str) -> Iterator[Finding]:
    place, step = ("bank_change", "resumes", state), next((one for one in kind.steps if one.key == key), None)
    if step is None:
        yield subject.at(subject.type_files[kind.key], place, f"unknown step {key}")
    elif kind.state(state) is None:
        yield subject.at(subject.type_files[kind.key], place, f"unknown state {state}")
    elif step.enters and kind.transition(state, step.enters) is None:
        yield subject.at(subject.type_files[kind.key], place, f"no transition {step.enters} from {state}")


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str, str, Amendment]]:
    for kind in subject.pack.document_types.values():
        for key, amendment in (("amendment", kind.amendment), ("bank_change", kind.bank_change)):
            if amendment is not None:
                yield kind, subject.type_files[kind.key], key, amendment


RULES = (
    states_lead_there_and_back,
    nobody_is_at_work,
    fields_are_pointers,
    steps_look_at_what_may_change,
    steps_can_be_worked,
    banks_change_in_their_places,
)
