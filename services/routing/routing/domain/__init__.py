"""Cases, tasks, signatures, timers: values, and the rules by which one becomes the next."""

from .amendments import Amendment, Proposal
from .asking import lapse, may_ask, provide_information, request_information
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
from .explanations import Judged, explained
from .facts import (
    CaseClosed,
    CaseOpened,
    Fact,
    InformationLapsed,
    InformationRequested,
    RungClimbed,
    TaskDecided,
    TaskOpened,
    TaskResumed,
    TaskSigned,
)
from .information import Information, InformationState, Inquiry
from .officers import OFFICERS, Officer
from .procedure import Assignment, Procedure, Route, Rulebook
from .silence import fall_silent
from .tasks import LIVE, SILENCE, SYSTEM, UNDECIDED, Decision, Quantity, Signature, Task, TaskState
from .timers import LADDER_DEFAULT, Calendars, Missed, Rung, Timer, TimerState, start_timer

__all__ = [
    "CANCELLED",
    "LADDER_DEFAULT",
    "LIVE",
    "OFFICERS",
    "SILENCE",
    "SYSTEM",
    "UNDECIDED",
    "WITHDRAWN",
    "Amendment",
    "Assignment",
    "Calendars",
    "Case",
    "CaseClosed",
    "CaseOpened",
    "CaseState",
    "Decision",
    "Fact",
    "Information",
    "InformationLapsed",
    "InformationRequested",
    "InformationState",
    "Inquiry",
    "Judged",
    "Missed",
    "Officer",
    "Procedure",
    "Proposal",
    "Quantity",
    "Route",
    "Rulebook",
    "Rung",
    "RungClimbed",
    "Signature",
    "Submission",
    "Task",
    "TaskDecided",
    "TaskOpened",
    "TaskResumed",
    "TaskSigned",
    "TaskState",
    "Timer",
    "TimerState",
    "amend",
    "decide",
    "end",
    "ended_unheard",
    "explained",
    "fall_silent",
    "lapse",
    "may_ask",
    "open_case",
    "provide_information",
    "request_information",
    "start_timer",
    "withdraw",
]
