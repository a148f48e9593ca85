"""A task with everything a screen needs to act on it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from kit import strict_json
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import (
    Code,
    Key,
    LongText,
    Moment,
    Paged,
    Quantity,
    Word,
    certain_moment,
    label,
    moment,
    quantity,
)
from gateway.shapes.conditions import (
    IMPOSED_MAX,
    ConditionId,
    ConditionKind,
    Imposed,
    ImposedShown,
    TaskCondition,
    imposable,
    imposed,
    task_conditions,
)
from gateway.shapes.information import Information, information

JsonObject = dict[str, Any]
# Which words a step knows is the pack's business; routing refuses the others.
Outcome = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z_]{0,39}$")]


class ReasonCode(msgspec.Struct):
    code: str
    label: str


class Signature(msgspec.Struct):
    person: str
    outcome: str
    reason_code: str | None
    comment: str | None
    conditions: str | None
    authorised_quantity: Quantity | None
    signed_at: Moment
    on_behalf_of: str | None
    imposes: list[ImposedShown]
    satisfies: list[str]


class Silence(msgspec.Struct):
    """What the law takes silence for, and when; null while the clock stands still."""

    outcome: str
    at: Moment | None


class Task(msgspec.Struct, kw_only=True):
    """`outcomes` are those this caller may choose now; `form` is the JSON Schema of what a decision may say besides."""

    id: str
    document_id: str
    reference: str
    document_type: str
    step: str
    agency: str
    state: Literal["OPEN", "CLAIMED", "WAITING", "DECIDED", "CANCELLED"]
    asked: str
    form: JsonObject
    outcomes: list[str]
    reason_codes: list[ReasonCode]
    mode: str
    rule: str | None
    channel: str | None
    risk_score: int
    signatures_required: int
    signatures: list[Signature]
    claimed_by: str | None
    opened_at: Moment
    due_at: Moment | None
    decided_at: Moment | None
    outcome: str | None
    facts: JsonObject
    may_request_information: bool
    visit_due: bool
    information: Information | None
    tacit: Silence | None
    imposable: list[ConditionKind]
    conditions: list[TaskCondition]


class TaskFilter(Paged, kw_only=True):
    state: Code = ""
    agency: Code = ""
    document_id: Code = ""


class Decision(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    outcome: Outcome
    reason_code: Word = ""
    comment: LongText = ""
    authorised_quantity: Quantity | None = None
    conditions: LongText = ""
    on_behalf_of: Word = ""
    imposes: Annotated[list[Imposed], msgspec.Meta(max_length=IMPOSED_MAX)] = []
    satisfies: Annotated[list[ConditionId], msgspec.Meta(max_length=IMPOSED_MAX)] = []


class Assignment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To a person of the agency, by their id."""

    person: Key


def task(given: routing_pb2.Task, language: str) -> Task:
    return Task(
        id=given.id,
        document_id=given.document_id,
        reference=given.reference,
        document_type=given.document_type,
        step=given.step,
        agency=given.agency,
        state=given.state,  # type: ignore[arg-type]
        asked=label(given.asked, language),
        form=_object(given.form_schema_json),
        outcomes=list(given.outcomes),
        reason_codes=[ReasonCode(one.code, label(one.labels, language)) for one in given.reason_codes],
        mode=given.mode,
        rule=given.rule or None,
        channel=given.channel or None,
        risk_score=given.risk_score,
        signatures_required=given.signatures_required,
        signatures=[_signature(one) for one in given.signatures],
        claimed_by=given.claimed_by or None,
        opened_at=certain_moment(given.opened_at),
        due_at=moment(given.due_at),
        decided_at=moment(given.decided_at),
        outcome=given.outcome or None,
        facts=_object(given.facts_json),
        may_request_information=given.may_request_information,
        visit_due=given.visit_due,
        information=information(given.information) if given.HasField("information") else None,
        tacit=Silence(given.tacit_outcome, moment(given.tacit_at)) if given.tacit_outcome else None,
        imposable=imposable(given.imposable, language),
        conditions=task_conditions(given.conditions, language),
    )


def _signature(given: routing_pb2.Signature) -> Signature:
    return Signature(
        person=given.person,
        outcome=given.outcome,
        reason_code=given.reason_code or None,
        comment=given.comment or None,
        conditions=given.conditions or None,
        authorised_quantity=quantity(given.authorised_quantity) if given.HasField("authorised_quantity") else None,
        signed_at=certain_moment(given.signed_at),
        on_behalf_of=given.on_behalf_of or None,
        imposes=imposed(given.imposes),
        satisfies=list(given.satisfies),
    )


def _object(raw: bytes) -> JsonObject:
    found: JsonObject = strict_json.loads(raw, depth_max=128) if raw else {}
    return found
