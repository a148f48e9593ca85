"""The clock of a task: a budget and what of it is consumed, never a mere target date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from kit.errors import Invalid, Refused
from packs.calendar import Clock

Calendars = Mapping[str, Clock]


def calendar_named(name: str, calendars: Calendars) -> Clock:
    calendar = calendars.get(name)
    if calendar is None:
        raise Invalid("INVALID_DOCUMENT", f"there is no calendar named {name!r}")
    return calendar


class Rung(NamedTuple):
    """A step of the escalation ladder: at a percentage of the budget, and so many seconds of its calendar later."""

    name: str
    percent: int
    after_seconds: int = 0

    def seconds(self, budget_seconds: int) -> int:
        return budget_seconds * self.percent // 100 + self.after_seconds


LADDER_DEFAULT = (Rung("due", 100), Rung("due+50%", 150), Rung("due+100%", 200))


class TimerState(StrEnum):
    ARMED = "ARMED"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"


class Missed(NamedTuple):
    rung: str
    at: datetime


@dataclass(frozen=True)
class Timer:
    """`fire_at` and `next_rung_at` are derived: None while nothing runs. Overdue is armed and `fire_at` past."""

    id: str
    calendar: str
    budget_seconds: int
    running_since: datetime | None
    fire_at: datetime | None
    next_rung_at: datetime | None
    consumed_seconds: int = 0
    ladder: tuple[Rung, ...] = LADDER_DEFAULT
    climbed: int = 0
    state: TimerState = TimerState.ARMED

    def is_overdue(self, now: datetime) -> bool:
        return self.state is TimerState.ARMED and self.fire_at is not None and self.fire_at < now

    def has_passed(self, now: datetime) -> bool:
        return self.state is TimerState.ARMED and self.fire_at is not None and self.fire_at <= now

    def suspend(self, now: datetime, calendars: Calendars) -> Timer:
        if self.state is not TimerState.ARMED or self.running_since is None:
            raise Refused("INVALID_TRANSITION", "the clock is not running")
        measured = calendar_named(self.calendar, calendars).between(self.running_since, now)
        return replace(
            self,
            state=TimerState.SUSPENDED,
            consumed_seconds=self.consumed_seconds + max(measured, 0),
            running_since=None,
            fire_at=None,
            next_rung_at=None,
        )

    def resume(self, now: datetime, calendars: Calendars) -> Timer:
        if self.state is not TimerState.SUSPENDED:
            raise Refused("INVALID_TRANSITION", "the clock is not suspended")
        return replace(self, state=TimerState.ARMED, running_since=now).projected(calendars)

    def cancel(self) -> Timer:
        """Keeps `fire_at`: when it was due stays true."""
        return replace(self, state=TimerState.CANCELLED, next_rung_at=None)

    def climb(self, now: datetime, calendars: Calendars) -> tuple[Timer, tuple[Missed, ...]]:
        """Past every rung whose moment has come, however long nobody looked."""
        timer, missed = self, list[Missed]()
        while timer.next_rung_at is not None and timer.next_rung_at <= now:
            missed.append(Missed(timer.ladder[timer.climbed].name, timer.next_rung_at))
            timer = replace(timer, climbed=timer.climbed + 1).projected(calendars)
        return timer, tuple(missed)

    def projected(self, calendars: Calendars) -> Timer:
        next_rung = self.ladder[self.climbed] if self.climbed < len(self.ladder) else None
        return replace(
            self,
            fire_at=self._moment(self.budget_seconds, calendars),
            next_rung_at=None if next_rung is None else self._moment(next_rung.seconds(self.budget_seconds), calendars),
        )

    def _moment(self, seconds: int, calendars: Calendars) -> datetime:
        assert self.running_since is not None  # noqa: S101 - only an armed timer is projected
        left = seconds - self.consumed_seconds
        return calendar_named(self.calendar, calendars).add(self.running_since, max(left, 0))


def start_timer(
    timer_id: str,
    calendar: str,
    budget_seconds: int,
    now: datetime,
    calendars: Calendars,
    ladder: tuple[Rung, ...] = LADDER_DEFAULT,
) -> Timer:
    """The rungs in the order in which this budget meets them."""
    climbing = tuple(sorted(ladder, key=lambda rung: rung.seconds(budget_seconds)))
    return Timer(timer_id, calendar, budget_seconds, now, None, None, ladder=climbing).projected(calendars)
