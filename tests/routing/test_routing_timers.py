"""Clocks: budgets over nights, weekends, holidays and suspensions; rungs climbed once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.errors import Invalid, Refused
from routing.domain import LADDER_DEFAULT, Rung, Timer, TimerState, start_timer

from tests.routing.builders import BOOK, FRIDAY, HOUR, MONDAY

CALENDARS = BOOK.calendars


def a_timer(start: datetime = MONDAY, hours: int = 4, calendar: str = "working") -> Timer:
    return start_timer("timer", calendar, hours * HOUR, start, CALENDARS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "hours", "calendar", "due"),
    [
        (MONDAY, 4, "working", at("2026-03-02T13:00")),
        (MONDAY, 8, "working", at("2026-03-03T09:00")),
        (FRIDAY, 4, "working", at("2026-03-10T10:00")),  # the weekend, and Monday a holiday
        (at("2026-03-07T12:00"), 1, "working", at("2026-03-10T09:00")),
        (FRIDAY, 4, "always", at("2026-03-06T18:00")),
    ],
)
def test_a_budget_is_working_time(start: datetime, hours: int, calendar: str, due: datetime) -> None:
    assert a_timer(start, hours, calendar).fire_at == due


def test_a_calendar_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid):
        a_timer(calendar="lunar")


def test_suspension_over_a_weekend_and_a_holiday_costs_nothing() -> None:
    suspended = a_timer(FRIDAY).suspend(FRIDAY + timedelta(hours=1), CALENDARS)
    assert (suspended.consumed_seconds, suspended.fire_at, suspended.next_rung_at) == (HOUR, None, None)
    assert not suspended.is_overdue(at("2027-01-01T00:00"))
    resumed = suspended.resume(at("2026-03-10T08:00"), CALENDARS)
    assert resumed.fire_at == at("2026-03-10T11:00")


def test_several_suspensions_add_up() -> None:
    timer = a_timer()
    for number in range(3):
        timer = timer.suspend(MONDAY + timedelta(hours=2 * number, minutes=30), CALENDARS)
        timer = timer.resume(MONDAY + timedelta(hours=2 * number + 2), CALENDARS)
    assert timer.consumed_seconds == 3 * HOUR // 2
    assert timer.fire_at == at("2026-03-03T09:30")


def test_suspended_after_it_was_late_it_is_late_again_at_once() -> None:
    timer, missed = a_timer(hours=1).climb(MONDAY + timedelta(hours=1), CALENDARS)
    timer = timer.suspend(MONDAY + timedelta(hours=2), CALENDARS).resume(MONDAY + timedelta(hours=3), CALENDARS)
    assert [rung.rung for rung in missed] == ["due"]
    assert timer.fire_at == timer.next_rung_at == MONDAY + timedelta(hours=3)


def test_only_a_running_clock_is_suspended_and_only_a_suspended_one_resumed() -> None:
    timer = a_timer()
    with pytest.raises(Refused):
        timer.resume(MONDAY, CALENDARS)
    with pytest.raises(Refused):
        timer.suspend(MONDAY, CALENDARS).suspend(MONDAY, CALENDARS)
    with pytest.raises(Refused):
        timer.cancel().suspend(MONDAY, CALENDARS)


def test_rungs_come_at_their_share_of_working_time() -> None:
    timer = a_timer(hours=4)
    moments = []
    while timer.next_rung_at is not None:
        now = timer.next_rung_at
        timer, missed = timer.climb(now, CALENDARS)
        moments += [(rung.rung, rung.at) for rung in missed]
    assert moments == [
        ("due", at("2026-03-02T13:00")),
        ("due+50%", at("2026-03-02T15:00")),
        ("due+100%", at("2026-03-03T09:00")),
    ]


def test_after_a_week_without_anybody_looking_every_rung_is_told_once() -> None:
    late, missed = a_timer().climb(MONDAY + timedelta(days=7), CALENDARS)
    assert [rung.rung for rung in missed] == [rung.name for rung in LADDER_DEFAULT]
    assert late.climb(MONDAY + timedelta(days=8), CALENDARS) == (late, ())


def test_a_ladder_of_ones_own() -> None:
    timer = start_timer("timer", "working", 4 * HOUR, MONDAY, CALENDARS, (Rung("half", 50), Rung("due", 100)))
    timer, missed = timer.climb(MONDAY + timedelta(hours=2), CALENDARS)
    assert ([rung.rung for rung in missed], timer.next_rung_at) == (["half"], timer.fire_at)


def test_rungs_are_climbed_in_the_order_in_which_the_budget_meets_them() -> None:
    """A working day after the due moment is later than half as much again of a short term, not of a long one."""
    rungs = (Rung("due", 100), Rung("half as much again", 150), Rung("a day more", 100, 8 * HOUR))
    short = start_timer("timer", "working", 4 * HOUR, MONDAY, CALENDARS, rungs)
    long = start_timer("timer", "working", 40 * HOUR, MONDAY, CALENDARS, rungs)
    assert [rung.name for rung in short.ladder] == ["due", "half as much again", "a day more"]
    assert [rung.name for rung in long.ladder] == ["due", "a day more", "half as much again"]
    _, missed = short.climb(MONDAY + timedelta(days=7), CALENDARS)
    assert missed[-1].at == at("2026-03-03T13:00")


def test_a_cancelled_clock_remembers_when_it_was_due_and_strikes_no_more() -> None:
    cancelled = a_timer().cancel()
    assert (cancelled.state, cancelled.fire_at, cancelled.next_rung_at) == (
        TimerState.CANCELLED,
        at("2026-03-02T13:00"),
        None,
    )
    assert not cancelled.is_overdue(at("2027-01-01T00:00"))


def test_overdue_is_derived() -> None:
    timer = a_timer()
    assert timer.fire_at is not None
    assert not timer.is_overdue(timer.fire_at)
    assert timer.is_overdue(timer.fire_at + timedelta(seconds=1))


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 400_000)), max_size=6),
    st.integers(1, 400_000),
    st.sampled_from(["working", "always"]),
)
def test_however_often_it_is_suspended_the_running_time_is_the_budget(
    spells: list[tuple[int, int]], budget: int, calendar: str
) -> None:
    now, ran = MONDAY, 0
    timer = start_timer("timer", calendar, budget, now, CALENDARS)
    for running, resting in spells:
        stop = now + timedelta(seconds=running)
        ran += CALENDARS[calendar].between(now, stop)
        now = stop + timedelta(seconds=resting)
        timer = timer.suspend(stop, CALENDARS).resume(now, CALENDARS)
        assert timer.consumed_seconds == ran
    assert timer.fire_at is not None
    assert CALENDARS[calendar].between(now, timer.fire_at) == max(budget - ran, 0)
    assert replace(timer).fire_at == timer.fire_at
