"""Silence decides only what a step can, by a law that is named, not for two persons unasked; ladders lead upwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Finding
from ..model import DocumentType, Escalation, Step
from ..source import Place
from .steps import amending_steps
from .subject import Subject

RUNGS_MAX = 8


def silence_decides_what_the_step_can(subject: Subject) -> Iterator[Finding]:
    for kind, file, place, step in steps(subject):
        for part, message in _faults(step):
            yield subject.at(file, (*place, "tacit", *part), message)
        if _leads_back(kind, step):
            yield subject.at(file, (*place, "tacit", "outcome"), "silence leads back: the case could go round unheard")


def _faults(step: Step) -> Iterator[tuple[Place, str]]:
    tacit = step.tacit
    if tacit is None:
        return
    if tacit.outcome not in step.outcomes:
        yield ("outcome",), f"{step.key} has no outcome {tacit.outcome}"
    if tacit.seconds <= 0:
        yield ("seconds",), "a term is a positive number of seconds"
    elif tacit.calendar == step.calendar and tacit.seconds < step.sla_seconds:
        yield ("seconds",), "silence decides before the agency's own term has passed"
    if not tacit.basis:
        yield (), "the law that lets silence decide is not named: basis, in every language"
    if step.mode == "four_eyes" and not tacit.four_eyes:
        yield (), "two persons sign here: silence decides for them only with four_eyes: true"


def _leads_back(kind: DocumentType, step: Step) -> bool:
    outcome = step.outcomes.get(step.tacit.outcome) if step.tacit else None
    keys = [one.key for one in kind.steps]
    if outcome is None or outcome.leads_to not in keys or step.key not in keys:
        return False
    return keys.index(outcome.leads_to) <= keys.index(step.key)


def ladders_lead_upwards(subject: Subject) -> Iterator[Finding]:
    for place, message in _rungs_faults(subject.pack.ladder or ()):
        head: Place = () if isinstance(subject.sources["ladder.yaml"].value, list) else ("rungs",)
        yield subject.at("ladder.yaml", (*head, *place), message)
    for _, file, place, step in steps(subject):
        for part, message in _rungs_faults(step.ladder or ()):
            yield subject.at(file, (*place, "ladder", *part), message)


def _rungs_faults(rungs: Sequence[Escalation]) -> Iterator[tuple[Place, str]]:
    if len(rungs) > RUNGS_MAX:
        yield (), f"at most {RUNGS_MAX} rungs"
    for index, rung in enumerate(rungs):
        for message in _rung_faults(rung):
            yield (index,), message
        if any(rung.key == other.key for other in rungs[:index]):
            yield (index,), f"rung {rung.key} is given twice"
        if any(_is_below(rung, other) for other in rungs[:index]):
            yield (index,), f"rung {rung.key} does not come after the ones before it"


def _rung_faults(rung: Escalation) -> Iterator[str]:
    if (rung.at is None) == (rung.after_seconds is None):
        yield "exactly one of at and after_seconds is needed"
    if rung.at is not None and (rung.at <= 0 or rung.at * 100 % 1):
        yield "a share of the term is more than nothing, in whole per cents"
    if rung.after_seconds is not None and rung.after_seconds <= 0:
        yield "after_seconds is a positive number of seconds"
    if not rung.notify:
        yield f"rung {rung.key} tells nobody"


def _is_below(rung: Escalation, earlier: Escalation) -> bool:
    """Shares and seconds cannot be compared before there is a term: each task puts them in order."""
    if rung.after_seconds is None or earlier.after_seconds is None:
        return rung.at is not None and earlier.at is not None and rung.at <= earlier.at
    return rung.after_seconds <= earlier.after_seconds


def incompatible_steps_exist(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        for index, group in enumerate(kind.incompatible or ()):
            place: Place = ("incompatible", index)
            for number, step in enumerate(group):
                if kind.step(step) is None:
                    yield subject.at(subject.type_files[kind.key], (*place, number), f"unknown step {step}")
            if len(set(group)) < 2:
                yield subject.at(subject.type_files[kind.key], place, "a group is two steps or more")


def steps(subject: Subject) -> Iterator[tuple[DocumentType, str, Place, Step]]:
    """Of the case and of its amendment, each with its place."""
    for kind in subject.pack.document_types.values():
        file = subject.type_files[kind.key]
        for index, step in enumerate(kind.steps):
            yield kind, file, ("steps", index), step
        for key, index, step in amending_steps(kind):
            yield kind, file, (key, "steps", index), step


RULES = (silence_decides_what_the_step_can, ladders_lead_upwards, incompatible_steps_exist)
