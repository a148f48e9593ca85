"""Conditions on approvals: as an officer sets them, as a screen offers them, as a document shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from kit import strict_json
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Moment, certain_moment, label, moment

JsonObject = dict[str, Any]
# As routing and intake judge them; here they only say so in the contract.
IMPOSED_MAX = 10
REMARKS_CHARACTERS_MAX = 1_000

Remarks = Annotated[str, msgspec.Meta(max_length=REMARKS_CHARACTERS_MAX)]
ConditionCode = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z_]{0,39}$")]
ConditionId = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[A-Za-z0-9_.-]*$")]
Met = Literal["step", "attachment", "declaration"]


class Imposed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`parameters` are as the pack's schema of the condition wants them."""

    code: ConditionCode
    parameters: JsonObject = {}
    remarks: Remarks = ""


class ImposedShown(msgspec.Struct):
    code: str
    parameters: JsonObject
    remarks: str | None


class ConditionKind(msgspec.Struct):
    """A condition this caller may set, with one of `outcomes`; `parameters` is the JSON Schema of what it takes."""

    code: str
    label: str
    outcomes: list[str]
    parameters: JsonObject
    satisfied_by: Met
    blocks: Literal["imputation", "release"] | None


class TaskCondition(msgspec.Struct):
    """Set earlier in the case. Where `satisfied_in` is the task's step, its approval names the condition."""

    id: str
    code: str
    label: str
    parameters: JsonObject
    remarks: str | None
    agency: str
    step: str
    imposed_at: Moment
    satisfied_in: str | None
    satisfied_at: Moment | None


class Condition(msgspec.Struct, kw_only=True):
    """What an approval of the document depends on. One that declarations meet is STANDING: each imputation meets it."""

    id: str
    document_id: str
    code: str
    label: str
    parameters: JsonObject
    remarks: str | None
    agency: str
    step: str
    imposed_at: Moment
    blocks: Literal["imputation", "release"] | None
    satisfied_by: Met
    satisfied_in: str | None
    state: Literal["OPEN", "STANDING", "SATISFIED"]
    satisfied_at: Moment | None
    attachment: str | None


class Conditions(msgspec.Struct):
    """All of a document, in the order they were set."""

    items: list[Condition]


class Evidence(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The file that meets the condition, by the hash its upload answered."""

    attachment: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    remarks: Remarks = ""


def imposed_request(given: Iterable[Imposed]) -> list[routing_pb2.Imposed]:
    return [
        routing_pb2.Imposed(code=one.code, parameters_json=msgspec.json.encode(one.parameters), remarks=one.remarks)
        for one in given
    ]


def imposed(given: Iterable[routing_pb2.Imposed]) -> list[ImposedShown]:
    return [ImposedShown(one.code, _object(one.parameters_json), one.remarks or None) for one in given]


def imposable(given: Iterable[routing_pb2.ConditionKind], language: str) -> list[ConditionKind]:
    return [
        ConditionKind(
            code=one.code,
            label=label(one.labels, language),
            outcomes=list(one.outcomes),
            parameters=_object(one.parameters_schema_json),
            satisfied_by=one.satisfied_by,  # type: ignore[arg-type]
            blocks=one.blocks or None,  # type: ignore[arg-type]
        )
        for one in given
    ]


def task_conditions(given: Iterable[routing_pb2.Condition], language: str) -> list[TaskCondition]:
    return [
        TaskCondition(
            id=one.id,
            code=one.code,
            label=label(one.labels, language),
            parameters=_object(one.parameters_json),
            remarks=one.remarks or None,
            agency=one.agency,
            step=one.step,
            imposed_at=certain_moment(one.imposed_at),
            satisfied_in=one.met_in or None,
            satisfied_at=moment(one.met_at),
        )
        for one in given
    ]


def _object(raw: bytes) -> JsonObject:
    found: JsonObject = strict_json.loads(raw, depth_max=128) if raw else {}
    return found
