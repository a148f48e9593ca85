"""Silence decides only what a step can decide, by a law that is named, and never in place of two persons unasked."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Step
from ..source import Place
from .subject import Subject


def silence_decides_what_the_step_can(subject: Subject) -> Iterator[Finding]:
    for _, file, place, step in steps(subject):
        for part, message in _faults(step):
            yield subject.at(file, (*place, "tacit", *part), message)


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


def steps(subject: Subject) -> Iterator[tuple[DocumentType, str, Place, Step]]:
    """Of the case and of its amendment, each with its place."""
    for kind in subject.pack.document_types.values():
        file = subject.type_files[kind.key]
        for index, step in enumerate(kind.steps):
            yield kind, file, ("steps", index), step
        for index, step in enumerate(kind.amendment.steps if kind.amendment else ()):
            yield kind, file, ("amendment", "steps", index), step


RULES = (silence_decides_what_the_step_can,)
