"""What an agency asks the operator, once for the whole list, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

# The operator's term is working time; where the pack names none, five days of eight hours.
WORKING = "working"
ANSWER_SECONDS_DEFAULT = 5 * 8 * 3600
QUESTIONS_MAX = 10
QUESTION_CHARACTERS_MAX = 1_000
REASON_CHARACTERS_MAX = 1_000


class InformationState(StrEnum):
    OPEN = "OPEN"
    PROVIDED = "PROVIDED"
    LAPSED = "LAPSED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Inquiry:
    """What an officer wants to know, and why."""

    person: str
    questions: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Information:
    id: str
    inquiry: Inquiry
    requested_at: datetime
    due_at: datetime
    state: InformationState = InformationState.OPEN
    answers: tuple[str, ...] = ()
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state is InformationState.OPEN

    def provide(self, answers: tuple[str, ...], now: datetime) -> Information:
        return replace(self, state=InformationState.PROVIDED, answers=answers, closed_at=now)

    def lapse(self, now: datetime) -> Information:
        return replace(self, state=InformationState.LAPSED, closed_at=now)

    def cancel(self) -> Information:
        return replace(self, state=InformationState.CANCELLED) if self.is_open else self
