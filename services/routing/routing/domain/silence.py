"""Silence: where the law says what it means, the case goes on without the agency once its term has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from packs.model import Labels

from .cases import Case, NewId, conclude
from .facts import Fact, TaskDecided
from .procedure import Procedure
from .tasks import Task


def fall_silent(case: Case, procedure: Procedure, now: datetime, new_id: NewId) -> tuple[Case, list[Fact]]:
    """Decides each task whose term for speaking has passed; what opens because of it has its own whole term."""
    facts: list[Fact] = []
    while (task := _silent(case, now)) is not None:
        case, more = _decide(case, task, procedure, now, new_id)
        facts += more
    return case, facts


def _silent(case: Case, now: datetime) -> Task | None:
    return next((task for task in case.tasks if task.is_silent(now)), None)


def _decide(case: Case, task: Task, procedure: Procedure, now: datetime, new_id: NewId) -> tuple[Case, list[Fact]]:
    step = procedure.step(task.step)
    outcome, basis = step.outcomes[task.tacit_outcome], step.tacit.basis if step.tacit else {}
    case, facts = conclude(case, task.fall_silent(now), outcome, procedure, now, new_id)
    return case, [_by_law(fact, task, basis) for fact in facts]


def _by_law(fact: Fact, task: Task, basis: Labels) -> Fact:
    if isinstance(fact, TaskDecided) and fact.task.id == task.id:
        return replace(fact, basis=basis)
    return fact
