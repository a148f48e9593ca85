"""Asking the operator: once for each agency, the clock standing still, then back to the officer, answered or not."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.errors import Conflict, Refused
from routing.domain import (
    CaseState,
    InformationLapsed,
    InformationRequested,
    InformationState,
    TaskDecided,
    TaskResumed,
    TaskState,
    TimerState,
    withdraw,
)
from routing.domain.information import ANSWER_SECONDS_DEFAULT

from tests.routing.builders import BOOK, FRIDAY, HOUR, MONDAY, Walk, a_submission

CALENDAR = BOOK.calendars["working"]


def a_licence(**other: Any) -> Walk:
    return Walk(a_submission(), **other)


def a_control() -> Walk:
    """FOOD and PLANT control side by side."""
    return Walk(a_submission(type="permit.control", hs_codes=["100100"], origin="CC"))


def information_of(walk: Walk, agency: str) -> Any:
    return walk.task(agency).information


def test_a_task_that_asks_waits_and_its_clock_stands_still() -> None:
    walk = a_licence()
    walk.now = MONDAY + timedelta(hours=2)
    (asked,) = walk.ask("EXPERTS")
    task = walk.task("EXPERTS")
    assert isinstance(asked, InformationRequested)
    assert (asked.document_event, asked.information.due_at) == ("ask", MONDAY + timedelta(days=2, hours=2))
    assert (task.state, task.due_at) == (TaskState.WAITING, None)
    assert (task.timer.state, task.timer.consumed_seconds) == (TimerState.SUSPENDED, 2 * HOUR)


def test_the_answers_come_with_the_task_and_its_clock_goes_on_from_where_it_was() -> None:
    walk = a_licence(now=FRIDAY)
    walk.now = FRIDAY + timedelta(hours=1)
    walk.ask("EXPERTS")
    walk.now = MONDAY + timedelta(days=8)
    assert [type(fact) for fact in walk.answer("EXPERTS", "Because.")] == [TaskResumed]
    task = walk.task("EXPERTS")
    assert (task.state, information_of(walk, "EXPERTS").answers) == (TaskState.OPEN, ("Because.",))
    assert CALENDAR.between(walk.now, task.due_at or walk.now) == 7 * HOUR
    assert walk.answer("EXPERTS", "Because.") == []
    walk.decide("EXPERTS", "favourable")
    assert walk.task("EXPERTS").state is TaskState.DECIDED


def test_nobody_decides_claims_or_gives_back_while_the_operator_is_waited_for() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.decide("EXPERTS", "favourable")
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.task("EXPERTS").claim("anna", MONDAY)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.task("EXPERTS").release("anna")


def test_an_agency_asks_once_and_the_same_question_again_is_the_same_answer() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    assert walk.ask("EXPERTS") == []
    for person, question in (("anna", "And why?"), ("bilal", "Why?")):
        with pytest.raises(Refused, match="ALREADY_ASKED"):
            walk.ask("EXPERTS", person, question)
    walk.answer("EXPERTS")
    assert walk.ask("EXPERTS") == []
    with pytest.raises(Refused, match="ALREADY_ASKED"):
        walk.ask("EXPERTS", question="And why?")


def test_each_agency_may_ask() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    walk.answer("EXPERTS")
    walk.decide("EXPERTS", "favourable")
    assert len(walk.ask("MINISTRY")) == 1


def test_a_step_that_asks_nothing_refuses() -> None:
    walk = a_licence()
    walk.decide("EXPERTS", "favourable")
    for person in ("anna", "bilal"):
        walk.decide("MINISTRY", "grant", person)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.ask("BANK-1")


def test_only_who_might_decide_asks() -> None:
    walk = a_licence()
    walk.case = walk.case.with_task(walk.task("EXPERTS").claim("bilal", MONDAY))
    with pytest.raises(Conflict, match="TASK_CLAIMED"):
        walk.ask("EXPERTS")
    walk.ask("EXPERTS", "bilal")
    assert walk.task("EXPERTS").claimed_by == ""


def test_a_signature_given_before_the_answers_is_void() -> None:
    walk = a_licence()
    walk.decide("EXPERTS", "favourable")
    walk.decide("MINISTRY", "grant", "anna", request_id="r1")
    with pytest.raises(Refused, match="FOUR_EYES"):
        walk.ask("MINISTRY", "anna")
    walk.ask("MINISTRY", "bilal")
    walk.answer("MINISTRY")
    assert walk.task("MINISTRY").live_signatures == ()
    assert walk.decide("MINISTRY", "grant", "anna", request_id="r1") == []
    walk.decide("MINISTRY", "grant", "bilal")
    assert walk.task("MINISTRY").state is TaskState.OPEN
    walk.decide("MINISTRY", "grant", "anna", request_id="r2")
    assert walk.task("MINISTRY").state is TaskState.DECIDED


def test_unanswered_it_goes_back_to_the_officer_and_the_clock_runs() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    walk.now = information_of(walk, "EXPERTS").due_at - timedelta(seconds=1)
    assert walk.lapse() == []
    walk.now += timedelta(seconds=1)
    lapsed, resumed = walk.lapse()
    assert isinstance(lapsed, InformationLapsed)
    assert isinstance(resumed, TaskResumed)
    assert lapsed.document_event == "unanswered"
    assert information_of(walk, "EXPERTS").state is InformationState.LAPSED
    assert CALENDAR.between(walk.now, walk.task("EXPERTS").due_at or walk.now) == 8 * HOUR
    assert walk.lapse() == []


def test_answers_that_crossed_the_lapse_are_kept_and_stop_no_clock() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    walk.now = information_of(walk, "EXPERTS").due_at
    walk.lapse()
    due_at = walk.task("EXPERTS").due_at
    assert walk.answer("EXPERTS", "Late.") == []
    assert (information_of(walk, "EXPERTS").answers, walk.task("EXPERTS").due_at) == (("Late.",), due_at)


def test_without_a_term_in_the_pack_the_operator_has_the_usual_one() -> None:
    walk = a_licence()
    walk.decide("EXPERTS", "favourable")
    walk.ask("MINISTRY")
    assert CALENDAR.between(MONDAY, information_of(walk, "MINISTRY").due_at) == ANSWER_SECONDS_DEFAULT


def test_a_withdrawal_ends_the_waiting() -> None:
    walk = a_licence()
    walk.ask("EXPERTS")
    walk.case, _ = withdraw(walk.case, walk.now)
    task = walk.task("EXPERTS")
    assert (task.state, task.timer.state) == (TaskState.CANCELLED, TimerState.CANCELLED)
    assert information_of(walk, "EXPERTS").state is InformationState.CANCELLED
    walk.now += timedelta(days=30)
    assert walk.lapse() == []
    assert walk.answer("EXPERTS") == []
    assert walk.case.state is CaseState.CLOSED


def test_beside_one_that_waits_another_goes_on_and_the_step_is_not_over() -> None:
    walk = a_control()
    walk.ask("FOOD")
    (decided,) = walk.decide("PLANT", "favourable")
    assert isinstance(decided, TaskDecided)
    assert (decided.document_event, walk.case.step) == ("", "control")
    walk.answer("FOOD")
    decided, *_ = walk.decide("FOOD", "favourable")
    assert isinstance(decided, TaskDecided)
    assert (decided.document_event, walk.case.step) == ("controlled", "bank")


def test_one_that_stops_the_case_ends_the_waiting_of_another() -> None:
    walk = a_control()
    walk.ask("FOOD")
    walk.decide("PLANT", "unfavourable", reason_code="QUALITY")
    assert walk.case.state is CaseState.CLOSED
    assert walk.task("FOOD").state is TaskState.CANCELLED


@given(
    asked_after=st.integers(0, 20 * 86_400),
    answered_after=st.integers(0, 20 * 86_400),
    decided_after=st.integers(0, 20 * 86_400),
)
def test_the_clock_never_counts_a_suspended_hour(asked_after: int, answered_after: int, decided_after: int) -> None:
    """Whether the answers come, come late, or never."""
    walk = a_licence()
    asked_at = MONDAY + timedelta(seconds=asked_after)
    walk.now = asked_at
    walk.ask("EXPERTS")
    information = information_of(walk, "EXPERTS")
    answered_at = asked_at + timedelta(seconds=answered_after)
    resumed_at = min(answered_at, information.due_at)
    walk.now = resumed_at
    walk.lapse()
    walk.now = answered_at
    walk.answer("EXPERTS")
    decided_at = max(answered_at, resumed_at) + timedelta(seconds=decided_after)
    timer = walk.task("EXPERTS").timer.suspend(decided_at, BOOK.calendars)
    running = CALENDAR.between(MONDAY, asked_at) + CALENDAR.between(resumed_at, decided_at)
    assert timer.consumed_seconds == running
    due_at = walk.task("EXPERTS").due_at
    assert due_at is not None
    left = max(8 * HOUR - CALENDAR.between(MONDAY, asked_at), 0)
    assert CALENDAR.between(resumed_at, due_at) == left
