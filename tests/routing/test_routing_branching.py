"""Steps that lead elsewhere than to the next: who speaks for a step, who is asked next, and that every case ends."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.errors import Invalid, Refused
from routing.domain import CaseClosed, CaseState, Fact, Officer, Rulebook, TaskDecided

from tests.routing.builders import a_type
from tests.routing.controls import CHECKS, CHOSEN, DISPOSAL, FINDINGS, REVIEW, Control, a_control_pack

OFFICER = frozenset({"agency_officer"})
# The steps without the appointment, which has tests of its own: the findings follow the review.
LOOKED_AT = FINDINGS | {
    "agency": {"decided": [{"step": "review", "outcomes": ["visit"]}]},
    "outcomes": {**FINDINGS["outcomes"], "revisit": {"event": "again", "then": "step:findings", "weight": 15}},
    "entries_max": 3,
}
LABORATORY = a_control_pack().document_types["check"].step("laboratory")
TO_FINDINGS = REVIEW | {
    "outcomes": {**REVIEW["outcomes"], "visit": {"event": "visit", "then": "step:findings", "weight": 10}}
}
BOOK = Rulebook.of(
    a_control_pack(
        document_types={
            "check": a_type("check", TO_FINDINGS, LOOKED_AT, msgspec.to_builtins(LABORATORY), DISPOSAL)
            | {"unconcerned": "nobody"}
        }
    )
)


def a_control(**facts: Any) -> Control:
    return Control(book=BOOK, **facts)


def moves(facts: list[Fact]) -> list[str]:
    """The moves of the document, the steps' and the case's own."""
    told = [fact.document_event for fact in facts if isinstance(fact, TaskDecided | CaseClosed)]
    return [event for event in told if event]


def asked(control: Control, step: str) -> list[str]:
    return [task.agency for task in control.case.tasks if task.step == step and task.is_undecided]


def test_everybody_who_is_named_reviews_and_the_last_word_finishes_the_case() -> None:
    control = a_control()
    assert asked(control, "review") == ["PLANT", "FOOD"]
    assert moves(control.say("review", "FOOD", "clear")) == []
    assert moves(control.say("review", "PLANT", "clear")) == ["cleared"]
    assert (control.case.state, control.case.outcome) == (CaseState.CLOSED, "clear")


@pytest.mark.parametrize("last", ["PLANT", "FOOD"])
def test_the_heaviest_word_speaks_whoever_says_it_last(last: str) -> None:
    control = a_control()
    first = "FOOD" if last == "PLANT" else "PLANT"
    said = {"PLANT": "visit", "FOOD": "clear"}
    control.say("review", first, said[first])
    assert moves(control.say("review", last, said[last])) == ["visit"]
    assert asked(control, "findings") == ["PLANT"]


def test_a_refusal_goes_past_the_visit_to_whoever_refused() -> None:
    control = a_control()
    control.say("review", "FOOD", "refuse")
    assert moves(control.say("review", "PLANT", "visit")) == ["refused"]
    assert (asked(control, "disposal"), asked(control, "findings")) == (["FOOD"], [])
    assert moves(control.say("disposal", "FOOD", "destroy")) == ["destroy"]
    assert control.case.outcome == "destroy"


def test_samples_go_to_the_laboratory_of_who_took_them() -> None:
    control = a_control()
    for agency in ("PLANT", "FOOD"):
        control.say("review", agency, "visit")
    control.say("findings", "PLANT", "sample")
    assert moves(control.say("findings", "FOOD", "conform")) == ["sample"]
    assert asked(control, "laboratory") == ["PLANT-LAB"]
    assert moves(control.say("laboratory", "PLANT-LAB", "non_conform")) == ["bad"]
    assert asked(control, "disposal") == ["PLANT"]


def test_conditions_that_were_outvoted_by_a_sample_stand_when_the_laboratory_is_content() -> None:
    control = a_control()
    for agency in ("PLANT", "FOOD"):
        control.say("review", agency, "visit")
    control.say("findings", "FOOD", "conform_with_conditions")
    control.say("findings", "PLANT", "sample")
    assert moves(control.say("laboratory", "PLANT-LAB", "conform")) == ["conform_if"]
    assert control.case.outcome == "conform_with_conditions"


def test_a_step_is_entered_again_but_not_for_ever() -> None:
    control = a_control()
    for agency in ("PLANT", "FOOD"):
        control.say("review", agency, "visit")
    for _ in range(2):
        control.say("findings", "PLANT", "revisit")
        assert moves(control.say("findings", "FOOD", "conform")) == ["again"]
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        control.say("findings", "PLANT", "revisit")
    control.say("findings", "FOOD", "conform")
    assert moves(control.say("findings", "PLANT", "conform")) == ["conform"]


def test_what_was_said_at_an_earlier_visit_is_not_what_the_last_one_found() -> None:
    control = a_control()
    for agency in ("PLANT", "FOOD"):
        control.say("review", agency, "visit")
    control.say("findings", "PLANT", "conform_with_conditions")
    control.say("findings", "FOOD", "revisit")
    for agency in ("PLANT", "FOOD"):
        facts = control.say("findings", agency, "conform")
    assert moves(facts) == ["conform"]


def test_a_document_that_concerns_nobody_is_told_so() -> None:
    control = a_control(hs_codes=["640399"])
    closed = [fact for fact in control.said if isinstance(fact, CaseClosed)]
    assert [(fact.outcome, fact.document_event) for fact in closed] == [("unconcerned", "nobody")]


def test_what_the_clock_alone_says_no_officer_may_say() -> None:
    control = Control()
    for agency in ("PLANT", "FOOD"):
        control.say("review", agency, "visit")
    officer = Officer("anna", "FOOD", "org-food", OFFICER)
    assert officer.choices(control.case, control.at("visit", "FOOD"), control.procedure) == ()
    with pytest.raises(Invalid) as refused:
        control.say("visit", "FOOD", "recorded")
    assert [violation.code for violation in refused.value.violations] == ["UNKNOWN_OUTCOME"]


def test_a_visit_that_is_due_is_waived_only_with_a_reason() -> None:
    control = Control(CHOSEN)
    assert control.case.visits_due == {"PLANTS"}
    control.say("review", "FOOD", "clear")
    with pytest.raises(Invalid) as refused:
        control.say("review", "PLANT", "clear")
    assert [violation.code for violation in refused.value.violations] == ["REASON_REQUIRED"]
    assert moves(control.say("review", "PLANT", "clear", reason_code="WAIVED")) == ["cleared"]


def test_a_machine_clears_no_goods_that_are_to_be_visited() -> None:
    assert Control(hs_codes=["120100"], amount_minor=50).case.state is CaseState.CLOSED
    due = a_control_pack()
    rules = msgspec.to_builtins(due.routing.rules)
    rules[2]["visit_when"] = "true"
    book = Rulebook.of(a_control_pack(routing={"version": "r1", "effective_from": "2026-01-01", "rules": rules}))
    control = Control(book=book, hs_codes=["120100"], amount_minor=50)
    assert asked(control, "review") == ["FOOD"]


def test_why_an_agency_visits_is_kept_and_can_be_drawn_again() -> None:
    fresh = Control(characteristics=["FRESH"]).case.explanation["visits"]
    assert [(visit["rule"], visit["due"], visit["ground"]) for visit in fresh] == [
        ("PLANTS", False, "spared"),
        ("HEALTH", True, "condition"),
    ]
    (drawn, *_) = Control(CHOSEN).case.explanation["visits"]
    assert (drawn["ground"], drawn["draw"]["seed"]) == ("share", f"r1/PLANTS/visit/{CHOSEN}")
    assert Control(CHOSEN).case.explanation == Control(CHOSEN).case.explanation


@given(
    st.lists(st.sampled_from(["conform", "conform_with_conditions", "sample", "revisit", "non_conform"]), max_size=40)
)
def test_every_case_ends_and_is_told_one_move_a_step(words: list[str]) -> None:
    """Whatever officers say, in whatever order: the last task of a step moves the document, once, until the end."""
    control, left = a_control(), iter(words)
    told: list[str] = []
    while control.case.state is CaseState.OPEN:
        task = next(task for task in control.case.tasks if task.is_undecided)
        outcomes = CHECKS.type("check").step(task.step).outcomes  # type: ignore[union-attr]
        wanted = next(left, "") if task.step == "findings" else ""
        word = wanted or {"review": "visit", "findings": "conform", "laboratory": "conform"}.get(task.step, "retreat")
        assert word in outcomes
        try:
            told += moves(control.say(task.step, task.agency, word))
        except Refused:
            told += moves(control.say(task.step, task.agency, "conform"))
    assert told[-1] in {"conform", "conform_if", "retreat"}
    entries = {(task.step, task.opened_at) for task in control.case.tasks}
    assert len(told) == len(entries)
