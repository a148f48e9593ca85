"""Conditions on an approval can be set, hold something back, and be met by somebody."""

from __future__ import annotations

from collections.abc import Iterator

from ..conditions import Condition
from ..errors import ExpressionError, Finding
from ..expressions import compile, names_used, validate
from ..model import DocumentType, Step
from ..source import Place
from .subject import Subject

DECLARATION, PARAMETERS = "declaration", "parameters"
CONDITIONS_MAX = 40
# What an expression may ask of a declaration; the figures only have to be of the right kind.
DECLARED = {
    "number": "000-000-2026-0000001",
    "line": "1",
    "office": "000",
    "registered_on": "2026-01-05",
    "quantity": 1,
    "unit": "KGM",
    "amount_minor": 1,
    "currency": "XXX",
    "hs_code": "000000",
}


def conditions_are_named_once(subject: Subject) -> Iterator[Finding]:
    for kind, file, place, condition in _conditions(subject):
        keys = [one.key for one in kind.conditions or ()]
        if keys.index(condition.key) != place[1]:
            yield subject.at(file, place, f"condition {condition.key} is given twice")
        if place[1] == CONDITIONS_MAX:
            yield subject.at(file, place, f"at most {CONDITIONS_MAX} conditions")


def conditions_can_be_set(subject: Subject) -> Iterator[Finding]:
    for kind, file, place, condition in _conditions(subject):
        if not condition.steps or not condition.outcomes:
            yield subject.at(file, place, "steps and outcomes say who may set it")
        for number, key in enumerate(condition.steps):
            for message in _faults_of_setting(condition, key, kind.step(key)):
                yield subject.at(file, (*place, "steps", number), message)
        for number, name in enumerate(condition.outcomes):
            found = [step for key in condition.steps if (step := kind.step(key)) and name in step.outcomes]
            if not found:
                yield subject.at(file, (*place, "outcomes", number), f"none of its steps has an outcome {name}")
            if any(step.outcomes[name].then == "close" for step in found):
                message = f"{name} closes the case: nothing is approved"
                yield subject.at(file, (*place, "outcomes", number), message)


def _faults_of_setting(condition: Condition, key: str, step: Step | None) -> Iterator[str]:
    if step is None:
        yield f"unknown step {key}"
        return
    if step.visit is not None:
        yield f"{key} is a visit: nobody decides it in words"
    if condition.outcomes and not any(name in step.outcomes for name in condition.outcomes):
        yield f"{key} has none of its outcomes"


def conditions_are_met_in_one_way(subject: Subject) -> Iterator[Finding]:
    for kind, file, place, condition in _conditions(subject):
        by = condition.satisfied_by
        if [by.step is not None, by.attachment, by.declaration is not None].count(True) != 1:
            message = "exactly one of step, attachment and declaration is needed"
            yield subject.at(file, (*place, "satisfied_by"), message)
        elif by.step is not None:
            for message in _faults_of_step(kind, condition, by.step):
                yield subject.at(file, (*place, "satisfied_by", "step"), message)
        elif condition.blocks is None:
            yield subject.at(file, place, "it holds nothing back: blocks is imputation or release")
        if condition.blocks is not None and not kind.title:
            yield subject.at(file, (*place, "blocks"), "only a title is imputed, or its goods released")


def conditions_can_be_judged(subject: Subject) -> Iterator[Finding]:
    for _, file, place, condition in _conditions(subject):
        text = condition.satisfied_by.declaration
        if text is None:
            continue
        for message in _faults_of_expression(condition, text):
            yield subject.at(file, (*place, "satisfied_by", "declaration"), message)


def _faults_of_step(kind: DocumentType, condition: Condition, key: str) -> Iterator[str]:
    keys = [step.key for step in kind.steps]
    if key not in keys:
        yield f"unknown step {key}"
        return
    if any(own in keys and keys.index(own) >= keys.index(key) for own in condition.steps):
        yield f"{key} does not come after the steps that set it"
    yield from _unheard(kind.steps[keys.index(key)])


def _unheard(step: Step) -> Iterator[str]:
    """Whoever meets a condition says so: silence, a visit and agencies that may not be asked do not."""
    if step.tacit is not None:
        yield f"silence may decide {step.key}: nobody would meet it"
    if step.visit is not None:
        yield f"{step.key} is a visit: nobody decides it in words"
    if step.agency.rules or step.agency.decided:
        yield f"{step.key} may be skipped: nobody would meet it"


def _faults_of_expression(condition: Condition, text: str) -> Iterator[str]:
    fault = validate(text)
    if fault:
        yield f"not an expression: {fault}"
        return
    if condition.blocks != "imputation":
        yield "a declaration is judged when it imputes: blocks is imputation"
    for name in sorted(names_used(text) - {DECLARATION, PARAMETERS}):
        yield f"unknown fact {name}: it speaks of {DECLARATION} and {PARAMETERS}"
    examples = condition.schema.get("examples") or []
    if condition.parameters is not None and not examples:
        yield "its parameters need an example, to be judged by"
    for parameters in examples or [{}]:
        try:
            compile(text).holds({DECLARATION: DECLARED, PARAMETERS: parameters})
        except ExpressionError as error:
            yield f"on the example: {error.reason}"


def _conditions(subject: Subject) -> Iterator[tuple[DocumentType, str, Place, Condition]]:
    for kind in subject.pack.document_types.values():
        for index, condition in enumerate(kind.conditions or ()):
            yield kind, subject.type_files[kind.key], ("conditions", index), condition


RULES = (
    conditions_are_named_once,
    conditions_can_be_set,
    conditions_are_met_in_one_way,
    conditions_can_be_judged,
)
