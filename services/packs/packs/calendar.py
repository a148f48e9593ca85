"""Working time of one country: its week, its holidays, its hours in Ramadan, its clock changes. UTC in and out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol, get_args
from zoneinfo import ZoneInfo

import holidays

from .model import Calendar, Labels, Week, Weekday

DAYS_SEARCHED_MAX = 3660
DAYS_REMEMBERED_MAX = 4096
_DAY_NAMES: tuple[Weekday, ...] = get_args(Weekday)
Window = tuple[datetime, datetime]
Hours = tuple[timedelta, timedelta]


class Clock(Protocol):
    def add(self, start: datetime, seconds: float) -> datetime: ...

    def between(self, start: datetime, end: datetime) -> int: ...


class AlwaysCalendar:
    """Every second counts."""

    def add(self, start: datetime, seconds: float) -> datetime:
        return _utc(start) + timedelta(seconds=seconds)

    def between(self, start: datetime, end: datetime) -> int:
        return int((_utc(end) - _utc(start)).total_seconds())


class WorkingCalendar:
    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.timezone)
        self._week = _week(calendar.working_week)
        self._ramadan = _week(calendar.ramadan)
        self._overrides = {override.date: override for override in calendar.holidays.overrides}
        self._windows = lru_cache(DAYS_REMEMBERED_MAX)(self._windows_of)
        self._holidays = lru_cache(64)(self._holidays_of)

    def add(self, start: datetime, seconds: float) -> datetime:
        """The moment at which `seconds` of working time have passed since `start`."""
        moment, left = _utc(start), timedelta(seconds=seconds)
        if left <= timedelta(0):
            return moment
        for opens, closes in self._from(moment, DAYS_SEARCHED_MAX):
            counted_from = max(opens, moment)
            if closes - counted_from >= left:
                return counted_from + left
            left -= max(closes - counted_from, timedelta(0))
        raise ValueError(f"no {seconds} working seconds in the {DAYS_SEARCHED_MAX} days after {start.isoformat()}")

    def between(self, start: datetime, end: datetime) -> int:
        """Working seconds from `start` to `end`; negative when `end` comes first."""
        first, last = _utc(start), _utc(end)
        if last < first:
            return -self.between(end, start)
        days = (last - first).days + 2
        if days > DAYS_SEARCHED_MAX:
            raise ValueError(f"more than {DAYS_SEARCHED_MAX} days between {start.isoformat()} and {end.isoformat()}")
        overlaps = (min(closes, last) - max(opens, first) for opens, closes in self._from(first, days))
        return int(sum((max(overlap, timedelta(0)) for overlap in overlaps), timedelta(0)).total_seconds())

    def is_working(self, moment: datetime) -> bool:
        day = _utc(moment).astimezone(self._zone).date()
        return any(opens <= moment < closes for opens, closes in self._windows(day))

    def holiday(self, day: date) -> Labels | None:
        """What is celebrated that day, when nobody works because of it."""
        override = self._overrides.get(day)
        if override is not None:
            return override.labels if override.holiday else None
        name = self._holidays(day.year).get(day)
        return {"": name} if name is not None else None

    def _from(self, moment: datetime, days: int) -> Iterator[Window]:
        day = moment.astimezone(self._zone).date()
        for passed in range(days):
            yield from self._windows(day + timedelta(days=passed))

    def _windows_of(self, day: date) -> tuple[Window, ...]:
        if self.holiday(day) is not None:
            return ()
        week = self._ramadan if self._in_ramadan(day) else self._week
        return tuple(self._window(day, hours) for hours in week[day.weekday()])

    def _window(self, day: date, hours: Hours) -> Window:
        opens, closes = (self._moment(day, hour) for hour in hours)
        return opens, max(opens, closes)

    def _moment(self, day: date, hour: timedelta) -> datetime:
        local = datetime.combine(day, time()) + hour
        return local.replace(tzinfo=self._zone).astimezone(UTC)

    def _in_ramadan(self, day: date) -> bool:
        return bool(self._calendar.ramadan) and any(
            period.from_ <= day <= period.to for period in self._calendar.ramadan_dates
        )

    def _holidays_of(self, year: int) -> dict[date, str]:
        library = self._calendar.holidays.library
        return dict(holidays.country_holidays(library, years=year)) if library else {}


def parse_hours(text: str) -> Hours:
    """`08:30-16:30`, or up to `24:00`; ValueError when it is no such thing."""
    first, dash, last = text.partition("-")
    opens, closes = _time_of_day(first), _time_of_day(last)
    if not dash or closes <= opens:
        raise ValueError(f"{text!r} is not an opening such as 08:30-16:30")
    return opens, closes


def _time_of_day(text: str) -> timedelta:
    hour, _, minute = text.strip().partition(":")
    if not (hour.isdigit() and minute.isdigit() and len(minute) == 2):
        raise ValueError(f"{text!r} is not a time of day")
    passed = timedelta(hours=int(hour), minutes=int(minute))
    if int(minute) > 59 or passed > timedelta(days=1):
        raise ValueError(f"{text!r} is not a time of day")
    return passed


def _week(week: Week) -> Sequence[tuple[Hours, ...]]:
    return [tuple(sorted(parse_hours(text) for text in week.get(name, ()))) for name in _DAY_NAMES]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)
