"""Where a case goes from a step whose tasks are decided, and whom a step asks because of what others decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kit.errors import Refused
from packs.model import AgencyChoice, Outcome, Step

from .tasks import Task

Said = tuple[str, Outcome]


def entered(tasks: Iterable[Task], step: str) -> int:
    """How often the case came to this step: tasks that were opened together are one time."""
    return len({task.opened_at for task in tasks if task.step == step})


def last_entry(tasks: Iterable[Task], step: str) -> tuple[Task, ...]:
    asked = [task for task in tasks if task.step == step]
    latest = max((task.opened_at for task in asked), default=None)
    return tuple(task for task in asked if task.opened_at == latest)


def spoken(step: Step, tasks: Iterable[Task]) -> Said | None:
    """What speaks for the step as it was last entered: the heaviest outcome, of equals the latest."""
    decided = [task for task in last_entry(tasks, step.key) if task.outcome in step.outcomes and task.decided_at]
    if not decided:
        return None
    speaker = max(decided, key=lambda task: (step.outcomes[task.outcome].weight, task.decided_at))
    return speaker.outcome, step.outcomes[speaker.outcome]


def verdict_of(steps: Sequence[Step], tasks: Sequence[Task], spoken_now: Said) -> Said:
    """The gravest of what was said to the end: an earlier step's finishing word, outvoted then, still stands."""
    said = [spoken_now]
    for step in steps:
        for task in last_entry(tasks, step.key):
            outcome = step.outcomes.get(task.outcome)
            if outcome is not None and outcome.then == "finish" and outcome.weight > said[0][1].weight:
                said.insert(0, (task.outcome, outcome))
    return said[0]


def deciders(choice: AgencyChoice, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """One task for each agency that decided as the step asks; the first alternative that names anybody counts."""
    for wanted in choice.decided:
        found = {task.agency: task for task in last_entry(tasks, wanted.step) if task.outcome in wanted.outcomes}
        if found:
            return tuple(found.values())
    return ()


def is_exhausted(step: Step, tasks: Iterable[Task]) -> bool:
    return entered(tasks, step.key) >= step.entries_max


def must_lead_on(outcome: Outcome, step: Step | None, tasks: Iterable[Task]) -> None:
    """No case goes round for ever."""
    if step is not None and outcome.leads_to and is_exhausted(step, tasks):
        raise Refused("INVALID_TRANSITION", f"step {step.key} was entered {step.entries_max} times, as often as it may")
