"""A document filed in stages goes on from each; what shows it ready can be judged; whom it admits can be told."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..expressions import validate
from ..filing import Admission, Requirement, Stage
from ..model import DocumentType
from ..pointers import steps
from ..source import Place
from .subject import Subject

FILER_ROLES = ("declarant", "applicant")


def filers_exist(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        if kind.filed_by not in FILER_ROLES:
            yield subject.at(file, ("filed_by",), f"must be one of: {', '.join(FILER_ROLES)}")


def stages_lead_on(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        keys = [stage.key for stage in kind.stages]
        for index, stage in enumerate(kind.stages):
            if stage.key in keys[:index]:
                yield subject.at(file, ("stages", index), f"stage {stage.key} is given twice")
            for place, message in _stage_faults(kind, stage):
                yield subject.at(file, ("stages", index, *place), message)


def _stage_faults(kind: DocumentType, stage: Stage) -> Iterator[tuple[Place, str]]:
    if kind.state(stage.in_) is None:
        yield ("in",), f"unknown state {stage.in_}"
    if not stage.events or stage.events[-1].when is not None:
        yield ("events",), "the last event must need no condition: somewhere the stage must lead"
    for index, event in enumerate(stage.events):
        if kind.transition(stage.in_, event.event) is None:
            yield ("events", index), f"no transition {event.event} from {stage.in_}"
        yield from _unparsed(("events", index, "when"), event.when)
    for index, check in enumerate(stage.checks):
        yield from _unparsed(("checks", index, "expression"), check.expression)


def one_stage_opens_the_case(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        opening = [stage.key for stage in kind.stages if stage.opens_case]
        if kind.stages and kind.steps and len(opening) != 1:
            yield subject.at(file, ("stages",), "one stage, and only one, opens the case: opens_case: true")


def readiness_can_be_judged(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        for index, requirement in enumerate(kind.readiness):
            for place, message in _requirement_faults(requirement):
                yield subject.at(file, ("readiness", index, *place), message)


def _requirement_faults(requirement: Requirement) -> Iterator[tuple[Place, str]]:
    if requirement.weight <= 0:
        yield ("weight",), "a weight is a positive number"
    if (requirement.expression is None) is not requirement.unique:
        yield (), "either an expression, or unique: true"
    yield from _unparsed(("expression",), requirement.expression)


def admission_is_told_by_the_body(subject: Subject) -> Iterator[Finding]:
    for kind, file in _types(subject):
        if kind.admission is not None:
            for place, message in _admission_faults(kind, kind.admission):
                yield subject.at(file, ("admission", *place), message)


def _admission_faults(kind: DocumentType, admission: Admission) -> Iterator[tuple[Place, str]]:
    for index, key in enumerate(admission.states):
        state = kind.state(key)
        if state is None or state.kind != "final":
            yield ("states", index), f"{key} is not a final state of {kind.key}"
    for name in ("name", "kind", "company_number", "billing_mode"):
        pointer = str(getattr(admission, name))
        if not _is_in(kind.schema, pointer):
            yield (name,), f"the body has no {pointer}"


def _is_in(schema: object, pointer: str) -> bool:
    for name in steps(pointer):
        members = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(members, dict) or name not in members:
            return False
        schema = members[name]
    return True


def _unparsed(place: Place, expression: str | None) -> Iterator[tuple[Place, str]]:
    fault = validate(expression) if expression is not None else None
    if fault:
        yield place, fault


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str]]:
    for kind in subject.pack.document_types.values():
        yield kind, subject.type_files[kind.key]


RULES = (
    filers_exist,
    stages_lead_on,
    one_stage_opens_the_case,
    readiness_can_be_judged,
    admission_is_told_by_the_body,
)
