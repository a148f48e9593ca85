"""How a case goes: steps in order, tasks side by side, what is said and which move the document makes."""

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
from kit.errors import Invalid, Refused
from packs.decisions import DecisionTable
from routing.domain import (
    CaseClosed,
    CaseOpened,
    CaseState,
    Fact,
    TaskDecided,
    TaskOpened,
    TaskState,
    TimerState,
    withdraw,
)

from tests.routing.builders import BOOK, MONDAY, Walk, a_submission


def story(facts: list[Fact]) -> list[tuple[str, ...]]:
    told: list[tuple[str, ...]] = []
    for fact in facts:
        match fact:
            case CaseOpened():
                told.append(("opened",))
            case TaskOpened(task, event):
                told.append(("asks", task.agency, event))
            case TaskDecided(task, event):
                told.append(("decided", task.agency, task.outcome, event))
            case CaseClosed(outcome):
                told.append(("closed", outcome))
            case _:
                told.append((type(fact).__name__,))
    return told


def states(walk: Walk) -> dict[str, str]:
    return {task.agency: task.state.value for task in walk.case.tasks}


def test_steps_follow_one_another_and_the_case_completes() -> None:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable")
    walk.decide("MINISTRY", "grant", "anna")
    walk.decide("MINISTRY", "grant", "bilal")
    walk.decide("BANK-1", "accept")
    assert story(walk.said) == [
        ("opened",),
        ("asks", "EXPERTS", ""),
        ("decided", "EXPERTS", "favourable", "opinion_given"),
        ("asks", "MINISTRY", ""),
        ("TaskSigned",),
        ("decided", "MINISTRY", "grant", "granted"),
        ("asks", "BANK-1", "send_to_bank"),
        ("decided", "BANK-1", "accept", "bank_accept"),
        ("closed", "completed"),
    ]
    assert walk.case.state is CaseState.CLOSED
    assert all(task.timer.state is TimerState.CANCELLED for task in walk.case.tasks)


def test_an_opinion_does_not_bind_the_next_step() -> None:
    walk = Walk(a_submission())
    assert story(walk.decide("EXPERTS", "unfavourable"))[-1] == ("asks", "MINISTRY", "")


def test_parallel_tasks_open_together_and_the_last_speaks_for_the_step() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["100190"]))
    assert story(walk.said) == [("opened",), ("asks", "FOOD", "start_control"), ("asks", "PLANT", "")]
    assert story(walk.decide("PLANT", "favourable")) == [("decided", "PLANT", "favourable", "")]
    assert story(walk.decide("FOOD", "favourable")) == [
        ("decided", "FOOD", "favourable", "controlled"),
        ("asks", "BANK-1", "send_to_bank"),
    ]


def test_one_refusal_closes_the_case_and_frees_the_siblings() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["100190"]))
    told = story(walk.decide("PLANT", "unfavourable", reason_code="QUALITY"))
    assert told == [("decided", "PLANT", "unfavourable", "stopped"), ("closed", "unfavourable")]
    assert states(walk) == {"FOOD": "CANCELLED", "PLANT": "DECIDED"}
    assert all(task.timer.state is TimerState.CANCELLED for task in walk.case.tasks)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.decide("FOOD", "favourable")


def test_a_step_that_concerns_nobody_is_passed_over() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["640399"]))
    assert story(walk.said) == [("opened",), ("asks", "BANK-1", "send_to_bank")]


def test_a_rule_may_decide_by_itself() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["851712"], amount_minor=100))
    assert story(walk.said) == [
        ("opened",),
        ("asks", "RADIO", "start_control"),
        ("decided", "RADIO", "favourable", "controlled"),
        ("asks", "BANK-1", "send_to_bank"),
    ]
    automatic = walk.case.tasks[0]
    assert (automatic.decided_by, automatic.mode, automatic.timer.state) == ("system", "automatic", "CANCELLED")


def test_an_automatic_approval_waits_for_its_siblings() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["120190"], amount_minor=100))
    assert story(walk.said)[1:] == [
        ("asks", "FOOD", "start_control"),
        ("asks", "RADIO", ""),
        ("decided", "RADIO", "favourable", ""),
    ]
    assert story(walk.decide("FOOD", "favourable"))[0] == ("decided", "FOOD", "favourable", "controlled")


@pytest.mark.parametrize(
    "facts", [{"amount_minor": 101}, {"amount_minor": 100, "origin": "BB", "hs_codes": ["851712", "930100"]}]
)
def test_no_machine_decides_what_the_rule_excludes_or_the_red_channel_shows(facts: dict[str, Any]) -> None:
    walk = Walk(a_submission(type="permit.control", **{"hs_codes": ["851712"], **facts}))
    assert states(walk) == {"RADIO": "OPEN"}
    assert walk.case.tasks[0].mode == "documentary"


def test_large_values_need_two_persons_where_the_step_says_so() -> None:
    walk = Walk(a_submission(type="permit.control", hs_codes=["100190"], amount_minor=1_000_001))
    assert {task.agency: (task.signatures_required, task.mode) for task in walk.case.tasks} == {
        "FOOD": (2, "four_eyes"),
        "PLANT": (2, "four_eyes"),
    }


def test_a_task_knows_the_rule_it_comes_from() -> None:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable")
    assert {task.agency: task.rule for task in walk.case.tasks} == {"EXPERTS": "", "MINISTRY": "LICENCE"}


def test_withdrawal_cancels_what_is_open_and_stops_the_clocks() -> None:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable")
    case, facts = withdraw(walk.case, MONDAY)
    assert story(facts) == [("closed", "withdrawn")]
    assert [task.state for task in case.tasks] == [TaskState.DECIDED, TaskState.CANCELLED]
    assert withdraw(case, MONDAY) == (case, [])


def test_a_document_without_its_agency_opens_no_case() -> None:
    with pytest.raises(Invalid):
        Walk(a_submission(type="permit.control", hs_codes=["640399"], agency_bank=None))


@pytest.mark.parametrize(
    ("facts", "score", "channel"),
    [
        ({"hs_codes": ["640399"], "origin": "CC"}, 0, "green"),
        ({"hs_codes": ["100190"]}, 35, "orange"),
        ({"hs_codes": ["100190"], "owner_attributes": ["TRUSTED"]}, 10, "green"),
        ({"hs_codes": ["930100"], "origin": "BB"}, 65, "red"),
        ({"hs_codes": ["640399"], "origin": "CC", "owner_attributes": ["TRUSTED"]}, 0, "green"),
    ],
)
def test_the_score_decides_the_channel_and_says_why(facts: dict[str, Any], score: int, channel: str) -> None:
    case = Walk(a_submission(**facts)).case
    assert (case.risk_score, case.channel) == (score, channel)
    assert max(0, sum(factor["points"] for factor in case.explanation["factors"])) == score
    assert case.explanation["table_version"] == "r1"


def test_the_lot_falls_on_three_in_a_hundred_and_always_on_the_same() -> None:
    def reds() -> list[str]:
        cases = [Walk(a_submission(f"doc-{number}", hs_codes=["640399"], origin="CC")).case for number in range(1000)]
        return [case.document.document_id for case in cases if case.channel == "red"]

    drawn = reds()
    assert 10 <= len(drawn) <= 60
    assert reds() == drawn
    case = Walk(a_submission(drawn[0], hs_codes=["640399"], origin="CC")).case
    assert "LOT" in case.rules
    assert case.explanation["lane"]["rule"] == "LOT"
    assert case.explanation["draws"][0]["selected"] is True


def test_replaying_a_decision_meets_the_same_rules() -> None:
    case = Walk(a_submission(type="permit.control", hs_codes=["100190"], amount_minor=2_000_000)).case
    again = DecisionTable.of(BOOK.pack).plan(case.document.facts)
    assert tuple(rule.id for rule in again.rules) == case.rules
    assert (again.score, again.lane.channel) == (case.risk_score, case.channel)


def test_routes_are_the_rules_and_what_only_the_type_asks() -> None:
    submission = a_submission(type="permit.control", hs_codes=["100190"])
    procedure = Walk(submission).procedure
    assert [(route.agency, route.document, route.sla_seconds, route.rule) for route in procedure.routes()] == [
        ("FOOD", "health", 7200, "FOOD"),
        ("PLANT", "phyto", 14400, "PLANT"),
        ("LABORATORY", "analysis", 3600, "LATER"),
        ("BANK-1", "", 14400, "bank"),
    ]
    # Monday 09:00 + the longer of 2 h and 4 h, then 4 h of the bank: past closing time, so on Tuesday.
    assert procedure.due_at(MONDAY) == MONDAY.replace(day=3, hour=9)


def test_routes_show_a_step_once_when_a_rule_covers_it() -> None:
    routes = Walk(a_submission()).procedure.routes()
    assert [(route.agency, route.mode, route.rule) for route in routes] == [
        ("MINISTRY", "four_eyes", "LICENCE"),
        ("EXPERTS", "documentary", "opinion"),
        ("BANK-1", "documentary", "bank"),
    ]


def test_values_are_never_changed_in_place() -> None:
    walk = Walk(a_submission())
    before = walk.case
    walk.decide("EXPERTS", "favourable")
    assert before.tasks[0].state is TaskState.OPEN
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.state = CaseState.CLOSED  # type: ignore[misc]
    assert replace(before) == before
