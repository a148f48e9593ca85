"""Conditions on a document's approvals: what they hold back, until who has met them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from kit import wire
from kit.errors import Refused
from packs import ExpressionError, expressions
from packs.model import Condition as Kind
from packs.model import DocumentType

from intake.domain.imputations import Terms
from intake.domain.titles import TitleLine
from intake.domain.wording import violation

IMPUTATION, RELEASE = "imputation", "release"
UNSATISFIED = "CONDITION_UNSATISFIED"


class ConditionState(StrEnum):
    OPEN = "OPEN"
    # Each imputation meets it anew.
    STANDING = "STANDING"
    SATISFIED = "SATISFIED"


@dataclass(frozen=True, slots=True)
class Condition:
    id: str
    document_id: str
    task_id: str
    agency: str
    step: str
    code: str
    parameters: Mapping[str, Any]
    remarks: str
    blocks: str
    met_by: str
    imposed_by: str
    imposed_at: datetime
    state: ConditionState
    met_by_whom: str = ""
    met_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.state is ConditionState.OPEN

    def label(self, kind: DocumentType, language: str) -> str:
        known = kind.condition(self.code)
        labels = known.labels if known is not None else {}
        return labels.get(language) or next(iter(labels.values()), self.code)


def initial_state(kind: Kind) -> ConditionState:
    return ConditionState.STANDING if kind.satisfied_by.kind == "declaration" else ConditionState.OPEN


def declared(terms: Terms, line: TitleLine) -> dict[str, Any]:
    """What the pack's expressions may ask of a declaration."""
    return {
        "number": terms.declaration_number,
        "line": terms.declaration_line,
        "office": terms.office,
        "registered_on": terms.registered_on.isoformat(),
        "quantity": float(terms.quantity.value),
        "unit": terms.quantity.unit,
        "amount_minor": terms.value.amount_minor,
        "currency": terms.value.currency,
        "hs_code": line.hs_code,
    }


def must_hold(
    conditions: Sequence[Condition], kind: DocumentType, gate: str, declaration: Mapping[str, Any], language: str
) -> list[str]:
    """The ids of the standing ones, judged and met. Raises Refused with the place of each that is not."""
    concerned = [one for one in conditions if one.blocks == gate]
    unmet = [one for one in concerned if one.is_open or not _is_met(one, kind, declaration)]
    if unmet:
        raise Refused(
            UNSATISFIED,
            "an approval of this document depends on what is not met",
            violations=[_fault(one, kind, language) for one in unmet],
            facts={"condition": unmet[0].code, "condition_id": unmet[0].id, "blocks": gate},
        )
    return [one.id for one in concerned if one.state is ConditionState.STANDING]


def _is_met(condition: Condition, kind: DocumentType, declaration: Mapping[str, Any]) -> bool:
    """What cannot be judged is not met."""
    if condition.state is not ConditionState.STANDING:
        return True
    known = kind.condition(condition.code)
    text = known.satisfied_by.declaration if known is not None else None
    if text is None:
        return False
    try:
        return expressions.compile(text).holds({"declaration": declaration, "parameters": condition.parameters})
    except ExpressionError:
        return False


def _fault(condition: Condition, kind: DocumentType, language: str) -> Any:
    label = condition.label(kind, language)
    return violation(f"/conditions/{condition.id}", UNSATISFIED, language, condition=label)


def condition_json(condition: Condition, kind: DocumentType, language: str) -> bytes:
    known = kind.condition(condition.code)
    return msgspec.json.encode(
        {
            "id": condition.id,
            "document_id": condition.document_id,
            "code": condition.code,
            "label": condition.label(kind, language),
            "parameters": condition.parameters,
            "remarks": condition.remarks or None,
            "agency": condition.agency,
            "step": condition.step,
            "imposed_at": wire.rfc3339(condition.imposed_at),
            "blocks": condition.blocks or None,
            "satisfied_by": condition.met_by,
            "satisfied_in": known.satisfied_by.step if known is not None else None,
            "state": condition.state,
            "satisfied_at": None if condition.met_at is None else wire.rfc3339(condition.met_at),
            "attachment": condition.evidence.get("attachment"),
        }
    )
