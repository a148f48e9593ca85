"""Working time: hours, week-ends, holidays, Ramadan, clock changes; always UTC outside."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packs.calendar import AlwaysCalendar, WorkingCalendar, parse_hours
from packs.model import Calendar, HolidayOverride, Holidays, Period
from packs.reader import read

from tests.packs.builders import PackFolder

HOUR = 3600
DAYS = ("mon", "tue", "wed", "thu", "fri")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_calendar(**changes: Any) -> WorkingCalendar:
    week = {day: ("08:00-12:00", "14:00-18:00") for day in DAYS}
    return WorkingCalendar(Calendar(**{"timezone": "Europe/Paris", "working_week": week, **changes}))


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-01-05T08:00", 2, "2026-01-05T10:00"),
        ("2026-01-05T08:00", 3, "2026-01-05T11:00"),
        ("2026-01-05T08:00", 4, "2026-01-05T14:00"),
        ("2026-01-05T08:00", 8, "2026-01-06T08:00"),
        ("2026-01-05T01:00", 1, "2026-01-05T08:00"),
        ("2026-01-09T16:30", 1, "2026-01-12T07:30"),
        ("2026-01-10T12:00", 1, "2026-01-12T08:00"),
        ("2026-01-05T11:30", 1, "2026-01-05T14:00"),
        ("2026-01-10T12:00", 0, "2026-01-10T12:00"),
    ],
)
def test_only_working_hours_count(start: str, hours: int, end: str) -> None:
    calendar = a_calendar()
    assert calendar.add(at(start), hours * HOUR) == at(end)
    assert calendar.between(at(start), at(end)) == hours * HOUR


def test_between_runs_backwards_too() -> None:
    assert a_calendar().between(at("2026-01-06T08:00"), at("2026-01-05T08:00")) == -8 * HOUR


def test_a_suspension_over_a_week_end_costs_nothing() -> None:
    assert a_calendar().between(at("2026-01-09T17:00"), at("2026-01-12T07:00")) == 0


def test_holidays_come_from_the_library_and_its_overrides(pack_folder: PackFolder) -> None:
    calendar = WorkingCalendar(read(pack_folder.write()).calendar)
    assert calendar.holiday(date(2026, 7, 14)) is not None
    assert calendar.holiday(date(2026, 5, 1)) is None, "declared a working day"
    override = calendar.holiday(date(2026, 6, 1))
    assert override is not None
    assert override["en"] == "Founding day"
    assert calendar.add(at("2026-07-13T15:00"), 2 * HOUR) == at("2026-07-15T07:00")
    assert calendar.is_working(at("2026-05-01T10:00").replace(hour=9))
    assert not calendar.is_working(at("2026-06-01T09:00"))


def test_an_override_alone_makes_a_holiday() -> None:
    override = HolidayOverride(date=date(2026, 1, 6), labels={"en": "Snow"}, holiday=True)
    calendar = a_calendar(holidays=Holidays(overrides=(override,)))
    assert calendar.add(at("2026-01-05T16:00"), 2 * HOUR) == at("2026-01-07T08:00")


def test_ramadan_has_its_own_hours_on_its_first_and_last_day() -> None:
    calendar = a_calendar(
        ramadan={day: ("09:00-15:00",) for day in DAYS},
        ramadan_dates=(Period(from_=date(2026, 2, 18), to=date(2026, 3, 19)),),
    )
    assert calendar.between(at("2026-02-17T00:00"), at("2026-02-17T23:00")) == 8 * HOUR
    assert calendar.between(at("2026-02-18T00:00"), at("2026-02-18T23:00")) == 6 * HOUR
    assert calendar.between(at("2026-03-19T00:00"), at("2026-03-19T23:00")) == 6 * HOUR
    assert calendar.between(at("2026-03-20T00:00"), at("2026-03-20T23:00")) == 8 * HOUR


def test_a_clock_change_moves_the_hours_not_their_number() -> None:
    """Clocks go forward in Paris on Sunday 29 March 2026."""
    calendar = a_calendar()
    assert calendar.add(at("2026-03-27T16:00"), 2 * HOUR) == at("2026-03-30T07:00")
    nightly = a_calendar(working_week={"sun": ("00:00-24:00",), "sat": ("00:00-24:00",)})
    assert nightly.between(at("2026-03-28T22:00"), at("2026-03-29T23:00")) == 23 * HOUR + HOUR
    assert nightly.between(at("2026-03-28T23:00"), at("2026-03-29T22:00")) == 23 * HOUR
    assert nightly.between(at("2026-10-24T22:00"), at("2026-10-25T23:00")) == 25 * HOUR


MOMENTS = st.integers(0, 800 * 24 * HOUR).map(lambda seconds: at("2025-12-01T00:00") + timedelta(seconds=seconds))


@settings(max_examples=200, deadline=None)
@given(start=MOMENTS, seconds=st.integers(0, 400 * HOUR))
def test_what_was_added_is_what_lies_between(start: datetime, seconds: int) -> None:
    calendar = a_calendar(
        holidays=Holidays(library="FR"),
        ramadan={day: ("09:00-15:00",) for day in DAYS},
        ramadan_dates=(Period(from_=date(2027, 2, 8), to=date(2027, 3, 8)),),
    )
    assert calendar.between(start, calendar.add(start, seconds)) == seconds


@settings(max_examples=100, deadline=None)
@given(start=MOMENTS, first=st.integers(0, 100 * HOUR), then=st.integers(0, 100 * HOUR))
def test_a_clock_that_was_stopped_ends_where_it_would_have(start: datetime, first: int, then: int) -> None:
    calendar = a_calendar()
    assert calendar.add(calendar.add(start, first), then) == calendar.add(start, first + then)


def test_a_moment_needs_its_time_zone() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        a_calendar().add(datetime(2026, 1, 5, 8), HOUR)  # noqa: DTZ001


def test_a_country_where_nobody_works_is_not_searched_for_ever() -> None:
    idle = a_calendar(working_week={})
    with pytest.raises(ValueError, match="no 60 working seconds"):
        idle.add(at("2026-01-05T08:00"), 60)


def test_the_distance_between_moments_is_bounded() -> None:
    with pytest.raises(ValueError, match="more than"):
        a_calendar().between(at("1990-01-01T00:00"), at("2026-01-01T00:00"))


@pytest.mark.parametrize("text", ["", "08:00", "18:00-08:00", "8-12", "08:00-25:00", "08:61-09:00", "x:00-09:00"])
def test_hours_that_cannot_be_kept_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_hours(text)


def test_always_is_always() -> None:
    start = at("2026-01-10T12:00")
    assert AlwaysCalendar().add(start, 90) == start + timedelta(seconds=90)
    assert AlwaysCalendar().between(start, start + timedelta(seconds=90)) == 90
