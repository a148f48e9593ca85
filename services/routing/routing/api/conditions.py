"""Conditions between messages and values: what an officer sets, finds met, may set, and is shown."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from kit import strict_json
from kit.errors import Invalid, Malformed, Violation
from kit.wire import timestamp
from packs.model import Condition as Kind
from portolan.routing.v1 import routing_pb2 as pb

from routing.domain import Condition, Decision, Imposed, Procedure, Task

IMPOSED_MAX = 10
PARAMETERS_BYTES_MAX = 4_096
REMARKS_CHARACTERS_MAX = 1_000
NAME_CHARACTERS_MAX = 200


def imposed(request: pb.DecideTaskRequest) -> tuple[Imposed, ...]:
    _must_be_few("/imposes", len(request.imposes))
    return tuple(_imposed(f"/imposes/{place}", one) for place, one in enumerate(request.imposes))


def met(request: pb.DecideTaskRequest) -> tuple[str, ...]:
    _must_be_few("/satisfies", len(request.satisfies))
    for place, text in enumerate(request.satisfies):
        if not text or len(text) > NAME_CHARACTERS_MAX or "\x00" in text or "," in text:
            _refuse(f"/satisfies/{place}", "UNKNOWN_CONDITION", "no condition that waits for this step")
    return tuple(dict.fromkeys(request.satisfies))


def said(decision: Decision) -> list[pb.Imposed]:
    return [
        pb.Imposed(code=one.code, parameters_json=msgspec.json.encode(one.parameters), remarks=one.remarks)
        for one in decision.imposes
    ]


def imposable(procedure: Procedure, step: str, choices: Iterable[str]) -> list[pb.ConditionKind]:
    """Those this officer may set now, with an outcome that may still be chosen."""
    chosen = frozenset(choices)
    found = [kind for kind in procedure.type.conditions_of(step) if not chosen.isdisjoint(kind.outcomes)]
    return [_kind(kind) for kind in found]


def shown(conditions: Iterable[Condition], task: Task, procedure: Procedure) -> list[pb.Condition]:
    """What was set before this task was decided, by others."""
    earlier = (one for one in conditions if one.task_id != task.id and _is_known_to(task, one))
    return [_condition(one, procedure) for one in earlier]


def _is_known_to(task: Task, condition: Condition) -> bool:
    return task.decided_at is None or condition.imposed_at <= task.decided_at


def _kind(kind: Kind) -> pb.ConditionKind:
    return pb.ConditionKind(
        code=kind.key,
        labels=kind.labels,
        outcomes=kind.outcomes,
        parameters_schema_json=msgspec.json.encode(kind.schema),
        satisfied_by=kind.satisfied_by.kind,
        blocks=kind.blocks or "",
    )


def _condition(condition: Condition, procedure: Procedure) -> pb.Condition:
    kind = procedure.type.condition(condition.code)
    return pb.Condition(
        id=condition.id,
        code=condition.code,
        labels=kind.labels if kind is not None else {},
        parameters_json=msgspec.json.encode(condition.parameters),
        remarks=condition.remarks,
        agency=condition.agency,
        step=condition.step,
        imposed_at=timestamp(condition.imposed_at),
        met_in=condition.met_in,
        met_at=timestamp(condition.met_at),
    )


def _imposed(here: str, given: pb.Imposed) -> Imposed:
    if not 0 < len(given.code) <= NAME_CHARACTERS_MAX:
        _refuse(f"{here}/code", "UNKNOWN_CONDITION", "not a condition of this outcome")
    if len(given.parameters_json) > PARAMETERS_BYTES_MAX:
        _refuse(f"{here}/parameters", "TOO_LONG", f"at most {PARAMETERS_BYTES_MAX} bytes")
    if len(given.remarks) > REMARKS_CHARACTERS_MAX or "\x00" in given.remarks:
        _refuse(f"{here}/remarks", "TOO_LONG", f"plain text of at most {REMARKS_CHARACTERS_MAX} characters")
    parameters = strict_json.loads(given.parameters_json or b"{}")
    if not isinstance(parameters, dict) or "\\u0000" in msgspec.json.encode(parameters).decode():
        raise Malformed("MALFORMED", "the parameters are not an object of plain values")
    return Imposed(given.code, parameters, given.remarks)


def _must_be_few(pointer: str, number: int) -> None:
    if number > IMPOSED_MAX:
        _refuse(pointer, "OUT_OF_RANGE", f"at most {IMPOSED_MAX}")


def _refuse(pointer: str, code: str, message: str) -> None:
    raise Invalid("INVALID_DOCUMENT", message, violations=[Violation(pointer, code, message)])
