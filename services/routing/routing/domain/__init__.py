"""Cases, tasks, signatures, timers: values, and the rules by which one becomes the next."""

from .cases import Case, CaseState, Submission, decide, open_case, withdraw, withdrawn_unheard
from .facts import CaseClosed, CaseOpened, DeadlineMissed, Fact, TaskDecided, TaskOpened, TaskSigned
from .officers import Officer
from .procedure import Assignment, Procedure, Route, Rulebook
from .tasks import LIVE, SYSTEM, Decision, Quantity, Signature, Task, TaskState
from .timers import LADDER_DEFAULT, Calendars, Missed, Rung, Timer, TimerState, start_timer

__all__ = [
    "LADDER_DEFAULT",
    "LIVE",
    "SYSTEM",
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
    "decide",
    "open_case",
    "start_timer",
    "withdraw",
    "withdrawn_unheard",
]
