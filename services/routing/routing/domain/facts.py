"""What happened to a case: the facts that follow from its rules, in the order they came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from packs.model import Escalation, Labels

from .conditions import Condition
from .information import Information
from .tasks import Signature, Task
from .visits import Attendant, NoShow, Visit


@dataclass(frozen=True)
class CaseOpened:
    opened_at: datetime
    due_at: datetime | None = None


@dataclass(frozen=True)
class TaskOpened:
    """`document_event` is the move this puts the document through; empty for none."""

    task: Task
    document_event: str
    document_due_at: datetime | None = None


@dataclass(frozen=True)
class TaskSigned:
    task: Task
    signature: Signature


@dataclass(frozen=True)
class TaskDecided:
    """`basis` is the law by which silence decided, in each language; empty where somebody spoke."""

    task: Task
    document_event: str
    basis: Labels = field(default_factory=dict)
    is_non_conforming: bool = False
    imposed: tuple[Condition, ...] = ()
    met: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class CaseClosed:
    outcome: str
    closed_at: datetime
    document_event: str = ""


@dataclass(frozen=True)
class RungClimbed:
    """The term is running out, or has: `rung` says how far, and who is to hear of it."""

    task_id: str
    agency: str
    rung: Escalation
    due_at: datetime
    climbed_at: datetime


@dataclass(frozen=True)
class InformationRequested:
    task: Task
    information: Information
    document_event: str


@dataclass(frozen=True)
class InformationLapsed:
    task: Task
    information: Information
    document_event: str


@dataclass(frozen=True)
class TaskResumed:
    task: Task
    resumed_at: datetime
    document_due_at: datetime | None = None


@dataclass(frozen=True)
class ResultFound:
    """What the step that `task` ended found out about the goods."""

    task: Task
    result: str
    found_at: datetime


@dataclass(frozen=True)
class VisitProposed:
    visit: Visit
    document_event: str


@dataclass(frozen=True)
class VisitConfirmed:
    """`document_event` comes with the last party's word."""

    visit: Visit
    by: Attendant
    confirmed_at: datetime
    document_event: str


@dataclass(frozen=True)
class VisitDeclined:
    visit: Visit
    by: Attendant
    declined_at: datetime
    document_event: str


@dataclass(frozen=True)
class VisitMissed:
    visit: Visit
    no_show: NoShow
    document_event: str


Fact = (
    CaseOpened
    | TaskOpened
    | TaskSigned
    | TaskDecided
    | CaseClosed
    | RungClimbed
    | InformationRequested
    | InformationLapsed
    | TaskResumed
    | ResultFound
    | VisitProposed
    | VisitConfirmed
    | VisitDeclined
    | VisitMissed
)
