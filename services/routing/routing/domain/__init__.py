"""Cases, tasks, signatures, timers: values, and the rules by which one becomes the next."""

from .amendments import Amendment, Proposal
from .cases import (
    CANCELLED,
    WITHDRAWN,
    Case,
    CaseState,
    Submission,
    amend,
    decide,
    end,
    ended_unheard,
    open_case,
    withdraw,
)
from .facts import CaseClosed, CaseOpened, DeadlineMissed, Fact, TaskDecided, TaskOpened, TaskSigned
from .officers import Officer
from .procedure import Assignment, Procedure, Route, Rulebook
from .tasks import LIVE, SYSTEM, Decision, Quantity, Signature, Task, TaskState
from .timers import LADDER_DEFAULT, Calendars, Missed, Rung, Timer, TimerState, start_timer

__all__ = [
    "CANCELLED",
    "LADDER_DEFAULT",
    "LIVE",
    "SYSTEM",
    "WITHDRAWN",
    "Amendment",
    "Assignment",
    "Calendars",
    "Case",
    "CaseClosed",
    "CaseOpened",
    "CaseState",
    "DeadlineMissed",
    "Decision",
    "Fact",
    "Missed",
    "Officer",
    "Procedure",
    "Proposal",
    "Quantity",
    "Route",
    "Rulebook",
    "Rung",
    "Signature",
    "Submission",
    "Task",
    "TaskDecided",
    "TaskOpened",
    "TaskSigned",
    "TaskState",
    "Timer",
    "TimerState",
    "amend",
    "decide",
    "end",
    "ended_unheard",
    "open_case",
    "start_timer",
    "withdraw",
]
