"""What an approval depends on: set by who approves; met later by a step, a file of the operator or each declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn

from kit.errors import Invalid, Violation
from packs.codes import CodeList
from packs.model import DocumentType, Outcome, Step

from .tasks import Decision, Task

Lists = Mapping[str, CodeList]


@dataclass(frozen=True)
class Condition:
    """`met_in` is the step whose officer says that it is met, empty where somebody else does.

    `gates` are the outcomes of that step which it holds back until then.
    """

    id: str
    task_id: str
    step: str
    agency: str
    code: str
    remarks: str
    imposed_by: str
    imposed_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    met_in: str = ""
    gates: tuple[str, ...] = ()
    met_task_id: str = ""
    met_at: datetime | None = None

    def awaits(self, step: str) -> bool:
        return self.met_at is None and self.met_in == step

    def met(self, task: Task, now: datetime) -> Condition:
        return replace(self, met_task_id=task.id, met_at=now)


def check_imposed(decision: Decision, kind: DocumentType, step: Step, lists: Lists) -> None:
    """Raises Invalid for what this step may not ask with this outcome, or asks amiss."""
    for place, imposed in enumerate(decision.imposes):
        here, condition = f"/imposes/{place}", kind.condition(imposed.code)
        if condition is None or step.key not in condition.steps or decision.outcome not in condition.outcomes:
            _refuse(f"{here}/code", "UNKNOWN_CONDITION", "not a condition of this outcome")
        if imposed in decision.imposes[:place]:
            _refuse(here, "REPEATED", "the condition is given twice")
        faults = list(condition.faults(imposed.parameters, lists))
        if faults:
            raise Invalid(
                "INVALID_DOCUMENT",
                "the condition's parameters are not as the pack has them",
                violations=[Violation(f"{here}/parameters{one.pointer}", one.code, one.message) for one in faults],
            )


def check_met(decision: Decision, task: Task, outcome: Outcome, conditions: Sequence[Condition]) -> None:
    """Raises Invalid: an approval says of each condition that waits for this step that it is met."""
    waiting = {one.id: one for one in conditions if one.awaits(task.step)}
    for place, condition_id in enumerate(decision.satisfies):
        if condition_id not in waiting:
            _refuse(f"/satisfies/{place}", "UNKNOWN_CONDITION", "no condition that waits for this step")
    said = frozenset(decision.satisfies).union(*(one.decision.satisfies for one in task.live_signatures))
    left = [one for one in waiting.values() if one.id not in said]
    if left and outcome.then != "close":
        named = ", ".join(one.code for one in left)
        _refuse("/satisfies", "CONDITION_UNSATISFIED", f"to be met first: {named}")


def settled(
    conditions: tuple[Condition, ...], task: Task, kind: DocumentType, now: datetime, new_id: Callable[[], str]
) -> tuple[Condition, ...]:
    """As the agreed decision leaves them: those it found met, and those it sets. A refusal sets none."""
    first = task.live_signatures[0].decision
    met = [one.met(task, now) if one.id in first.satisfies else one for one in conditions]
    return (*met, *_imposed(first, task, kind, now, new_id))


def _imposed(
    decision: Decision, task: Task, kind: DocumentType, now: datetime, new_id: Callable[[], str]
) -> Iterator[Condition]:
    for imposed in decision.imposes:
        condition = kind.condition(imposed.code)
        assert condition is not None  # noqa: S101 - checked when it was signed
        met_in = condition.satisfied_by.step or ""
        yield Condition(
            id=new_id(),
            task_id=task.id,
            step=task.step,
            agency=task.agency,
            code=imposed.code,
            remarks=imposed.remarks,
            imposed_by=decision.person,
            imposed_at=now,
            parameters=imposed.parameters,
            met_in=met_in,
            gates=_approvals(kind.step(met_in)),
        )


def _approvals(step: Step | None) -> tuple[str, ...]:
    outcomes = step.outcomes.items() if step is not None else ()
    return tuple(key for key, outcome in outcomes if outcome.then != "close")


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_DOCUMENT", message, violations=[Violation(pointer, code, message)])
