"""Months of a file's life under a country's own calendar: nights, weekends, feasts, fasting hours, a clock set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import packs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packs.calendar import WorkingCalendar
from packs.reader import PACKS_FOLDER
from routing.domain import CaseState, Proposal, Rulebook, Submission, TaskState, Timer, amend, fall_silent, start_timer

from tests.routing.builders import HOUR, Walk
from tests.routing.test_routing_default_pack import complete, opened
from tests.routing.world import facts_of

PACK = packs.read(PACKS_FOLDER / "morocco")
BOOK = Rulebook.of(PACK)
CALENDARS = BOOK.calendars
ZONE = ZoneInfo(PACK.calendar.timezone)
LICENCE = PACK.document_types["import_title.li"]
MINUTE = timedelta(minutes=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def a_term(start: datetime, hours: float) -> Timer:
    return start_timer("timer", "working", int(hours * HOUR), start, CALENDARS)


def test_the_countrys_clock_is_set_back_for_the_fast_and_forward_after_it() -> None:
    """What the rest relies on is the zone's own data, not ours."""
    offsets = [datetime(2026, month, 25, 12, tzinfo=ZONE).utcoffset() for month in (1, 2, 3)]
    assert offsets == [timedelta(hours=1), timedelta(0), timedelta(hours=1)]


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        # The last hour of a plain Wednesday, then fasting hours: 09:00-15:00, by a clock an hour behind.
        ("2026-02-18T15:30", 3, "2026-02-19T11:00"),
        # Two fasting days are twelve hours.
        ("2026-02-19T09:00", 12, "2026-02-20T15:00"),
        # Over the weekend in which the clock is set forward again.
        ("2026-03-19T14:00", 2, "2026-03-23T09:30"),
        # Labour day is a feast, and a Friday.
        ("2026-04-30T16:00", 1, "2026-05-04T09:00"),
    ],
)
def test_a_term_crosses_fasting_hours_feasts_and_changes_of_the_clock(start: str, hours: int, due: str) -> None:
    assert a_term(local(start), hours).fire_at == local(due)


def test_a_suspension_over_a_weekend_costs_neither_side_a_second() -> None:
    friday, tuesday = local("2026-01-16T15:30"), local("2026-01-20T11:00")
    timer = a_term(local("2026-01-16T09:30"), 8).suspend(friday, CALENDARS)
    assert timer.consumed_seconds == 6 * HOUR
    assert timer.resume(tuesday, CALENDARS).fire_at == local("2026-01-20T13:00")


def test_a_suspension_through_the_whole_fast_leaves_the_plain_hours_that_were_left() -> None:
    timer = a_term(local("2026-02-13T08:30"), 16).suspend(local("2026-02-13T16:30"), CALENDARS)
    resumed = timer.resume(local("2026-03-30T08:30"), CALENDARS)
    assert (resumed.consumed_seconds, resumed.fire_at) == (8 * HOUR, local("2026-03-30T16:30"))


def test_a_licence_through_two_months_with_a_question_a_feast_and_a_bank_that_is_late() -> None:
    """Every step takes all its time; the operator takes two weeks; the bank is told so for a month."""
    start = local("2026-01-08T09:00")
    facts = {**facts_of(LICENCE, "630900", 5_000), "document_id": "doc-1"}
    walk = Walk(Submission("doc-1", "R", LICENCE.key, PACK.version, "owner", "submitter", facts), BOOK, start)
    walk.now = local("2026-01-08T16:30")
    walk.ask("MIC-DT")
    walk.now = local("2026-01-22T08:30")
    walk.answer("MIC-DT")
    opinion = walk.task("MIC-DT")
    assert opinion.timer.consumed_seconds == int(7.5 * HOUR)
    assert opinion.due_at == local("2026-01-22T09:00")
    walk.decide("MIC-DT", "favourable", "laila")
    ministry = walk.task("MIC")
    for person in ("amina", "driss"):
        assert ministry.due_at is not None
        walk.now = ministry.due_at
        walk.decide("MIC", "grant", person)
    bank = next(task for task in walk.case.tasks if task.is_live)
    assert bank.timer.is_overdue(local("2026-02-27T10:00"))
    climbed, rungs = bank.timer.climb(local("2026-02-27T10:00"), CALENDARS)
    assert [rung.rung for rung in rungs] == [rung.name for rung in bank.timer.ladder]
    assert climbed.climb(local("2026-12-01T10:00"), CALENDARS) == (climbed, ())


def test_after_a_week_of_downtime_silence_decides_once_with_the_moment_it_was_due() -> None:
    """Three plain days and three of fasting are five days of eight hours, less four of the sixth."""
    engagement, start = PACK.document_types["import_title.ei"], local("2026-02-16T08:30")
    walk = opened(engagement, BOOK)
    complete(walk)
    proposal = Proposal("doc-1", 2, facts_of(engagement, "640399", 5_000), (), "", ("amendment_bank",))
    walk.case, _ = amend(walk.case, proposal, BOOK, start, walk.new_id)
    task = walk.case.tasks[-1]
    assert task.tacit_at == local("2026-02-23T13:00")
    assert fall_silent(walk.case, walk.procedure, local("2026-02-23T12:59"), walk.new_id) == (walk.case, [])
    case, said = fall_silent(walk.case, walk.procedure, local("2026-03-02T09:00"), walk.new_id)
    decided = case.task(task.id)
    assert (decided.state, decided.outcome, decided.tacit_at) == (TaskState.DECIDED, "accept", task.tacit_at)
    assert (case.state, len(said)) == (CaseState.CLOSED, 2)
    assert fall_silent(case, walk.procedure, local("2026-03-09T09:00"), walk.new_id) == (case, [])


def working_minutes(calendar: WorkingCalendar, start: datetime, end: datetime) -> int:
    """As somebody counts who looks at the clock each minute."""
    minutes = int((end - start) / MINUTE)
    return sum(calendar.is_working(start + number * MINUTE) for number in range(minutes))


spells = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 6_000)), min_size=1, max_size=4)
starts = st.integers(0, 60 * 24 * 45).map(lambda minutes: local("2026-02-10T00:00") + minutes * MINUTE)


@given(starts, spells)
@settings(max_examples=25, deadline=None)
def test_what_a_clock_counts_is_what_a_watcher_counts_minute_by_minute(
    start: datetime, runs: list[tuple[int, int]]
) -> None:
    calendar = CALENDARS["working"]
    assert isinstance(calendar, WorkingCalendar)
    now, counted = start, 0
    timer = start_timer("timer", "working", 400 * HOUR, now, CALENDARS)
    for running, resting in runs:
        stop = now + running * MINUTE
        counted += working_minutes(calendar, now, stop)
        timer, _ = timer.climb(stop, CALENDARS)
        timer = timer.suspend(stop, CALENDARS)
        assert timer.consumed_seconds == counted * 60
        now = stop + resting * MINUTE
        timer = timer.resume(now, CALENDARS)
        assert timer.consumed_seconds == counted * 60
