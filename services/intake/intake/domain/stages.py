"""A document filed in stages: which part is due, whether it may be given so, and what shows the whole to be ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from kit.errors import Forbidden, NotFound, Refused, Violation
from packs import ExpressionError, expressions, pointers
from packs.amendments import covers
from packs.model import Admission, DocumentType, Pack, Requirement, Stage, Transition

from intake.domain.amendments import Change
from intake.domain.documents import Document, transition
from intake.domain.wording import violation

BODY = "/body"

Body = Mapping[str, Any]
Taken = frozenset[str]
"""The places whose value another document bears."""


@dataclass(frozen=True, slots=True)
class Judged:
    requirement: Requirement
    is_met: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    name: str
    kind: str
    company_number: str
    billing_mode: str


def require_filer(kind: DocumentType, roles: frozenset[str]) -> None:
    """Raises Forbidden for whoever files other documents."""
    if kind.filed_by not in roles:
        raise Forbidden("FORBIDDEN", f"this needs the role {kind.filed_by}")


def due(kind: DocumentType, document: Document, key: str) -> Stage:
    """Raises NotFound, Refused."""
    stage = kind.stage(key)
    if stage is None:
        raise NotFound("NOT_FOUND", "no such stage")
    if document.state != stage.in_:
        facts = {"state": document.state, "stage": key}
        raise Refused("INVALID_TRANSITION", "this stage is not the one that is due", facts=facts)
    return stage


def faults(pack: Pack, stage: Stage, body: Body, found: Sequence[Change], language: str) -> list[Violation]:
    foreign = (one.pointer for one in found if not any(covers(field, one.pointer) for field in stage.fields))
    failed = (check for check in stage.checks if not _holds(check.expression, body))
    told = (Violation(BODY + check.pointer, check.id, pack.label(check.messages, language)) for check in failed)
    return [*(violation(BODY + place, "NOT_AMENDABLE", language) for place in foreign), *told]


def move(kind: DocumentType, document: Document, stage: Stage, body: Body) -> Transition:
    """Raises Refused where the pack leaves no way."""
    event = next((one.event for one in stage.events if one.when is None or _holds(one.when, body)), "")
    return transition(document, kind, event)


def readiness(kind: DocumentType, body: Body, taken: Taken) -> list[Judged]:
    return [Judged(one, _is_met(one, body, taken)) for one in kind.readiness]


def unready(pack: Pack, judged: Sequence[Judged], language: str) -> list[Violation]:
    missing = (one.requirement for one in judged if not one.is_met)
    return [Violation(BODY + one.pointer, one.id, pack.label(one.missing, language)) for one in missing]


def marks(kind: DocumentType, body: Body) -> dict[str, str]:
    """Place → the value that nobody else may have."""
    found = (
        (one.pointer, pointers.value_at(body, pointers.steps(one.pointer))) for one in kind.readiness if one.unique
    )
    encode = msgspec.json.Encoder(order="sorted").encode
    return {place: encode(value).decode() for place, value in found if value is not None}


def rivals(kind: DocumentType) -> list[str]:
    """The states in which a document keeps its values from others: it was sent, and not turned away."""
    drafts = set(_before_the_case(kind))
    admitted = kind.admission.states if kind.admission else ()
    return [one.key for one in kind.states if one.key not in drafts and (one.kind == "open" or one.key in admitted)]


def admitted(admission: Admission, body: Body) -> Admitted:
    names = (admission.name, admission.kind, admission.company_number, admission.billing_mode)
    return Admitted(*(str(pointers.value_at(body, pointers.steps(pointer)) or "") for pointer in names))


def _before_the_case(kind: DocumentType) -> Iterator[str]:
    for stage in kind.stages:
        yield stage.in_
        if stage.opens_case:
            return


def _is_met(requirement: Requirement, body: Body, taken: Taken) -> bool:
    if requirement.expression is not None:
        return _holds(requirement.expression, body)
    return pointers.value_at(body, pointers.steps(requirement.pointer)) is not None and requirement.pointer not in taken


def _holds(expression: str, body: Body) -> bool:
    """What has no value on this body does not hold."""
    try:
        return expressions.compile(expression).holds({"body": body})
    except ExpressionError:
        return False
