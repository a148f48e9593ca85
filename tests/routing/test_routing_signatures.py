"""Four eyes, reductions, reasons, claims: what one task accepts from whom."""

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.errors import Conflict, Invalid, PortolanError, Refused
from routing.domain import CaseState, Decision, Quantity, Task, TaskDecided, TaskSigned, TaskState

from tests.routing.builders import MONDAY, Walk, a_submission, kg


def at_the_ministry() -> Walk:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable")
    return walk


def ministry(walk: Walk) -> Task:
    return walk.case.task(walk.task_id("MINISTRY"))


def violation(error: PortolanError) -> tuple[str, str]:
    return error.violations[0].pointer, error.violations[0].code


def test_the_second_signature_must_be_another_persons() -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", "grant", "anna")
    with pytest.raises(Refused, match="FOUR_EYES"):
        walk.decide("MINISTRY", "grant", "anna")
    with pytest.raises(Refused, match="FOUR_EYES"):
        walk.decide("MINISTRY", "refuse", "anna", reason_code="QUALITY")
    assert ministry(walk).state is TaskState.OPEN


def test_a_repeated_first_signature_with_its_request_id_changes_nothing() -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", "grant", "anna", request_id="r1")
    assert walk.decide("MINISTRY", "grant", "anna", request_id="r1") == []
    with pytest.raises(Refused, match="FOUR_EYES"):
        walk.decide("MINISTRY", "refuse", "anna", request_id="r1", reason_code="QUALITY")


def test_a_request_that_comes_again_after_a_disagreement_is_no_agreement() -> None:
    """A retry says what it said the first time; it must not be taken for a yes to the colleague's smaller quantity."""
    walk = at_the_ministry()
    walk.decide("MINISTRY", "grant", "anna", request_id="r1")
    walk.decide("MINISTRY", "grant", "bilal", quantity=kg("10"))
    assert walk.decide("MINISTRY", "grant", "anna", request_id="r1") == []
    assert [signature.person for signature in ministry(walk).live_signatures] == ["bilal"]
    assert ministry(walk).state is TaskState.OPEN
    walk.decide("MINISTRY", "grant", "anna", request_id="r2")
    assert (ministry(walk).state, ministry(walk).quantity) == (TaskState.DECIDED, kg("10"))


def test_leaving_the_quantity_out_means_agreeing_with_the_colleague() -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", "grant", "anna", quantity=kg("750"))
    facts = walk.decide("MINISTRY", "grant", "bilal")
    assert isinstance(facts[0], TaskDecided)
    assert (facts[0].task.quantity, facts[0].task.decided_by) == (kg("750"), "bilal")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"outcome": "grant"}, {"outcome": "grant", "quantity": kg("10")}),
        ({"outcome": "grant", "quantity": kg("10")}, {"outcome": "grant", "quantity": kg("11")}),
        ({"outcome": "grant", "quantity": kg("10")}, {"outcome": "grant", "quantity": kg("1000")}),
        ({"outcome": "grant"}, {"outcome": "refuse", "reason_code": "QUALITY"}),
        ({"outcome": "refuse", "reason_code": "QUALITY"}, {"outcome": "grant"}),
    ],
)
def test_a_disagreement_voids_the_first_signature_and_becomes_the_first(first: Any, second: Any) -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", person="anna", **first)
    facts = walk.decide("MINISTRY", person="bilal", **second)
    assert [type(fact) for fact in facts] == [TaskSigned]
    assert [signature.person for signature in ministry(walk).live_signatures] == ["bilal"]
    assert [signature.person for signature in ministry(walk).signatures] == ["anna", "bilal"]
    walk.decide("MINISTRY", person="anna", **second)
    assert ministry(walk).state is TaskState.DECIDED
    assert ministry(walk).outcome == second["outcome"]
    quantity = second.get("quantity")
    assert ministry(walk).quantity == (None if quantity == kg("1000") else quantity)


def test_the_whole_quantity_spelled_out_is_no_reduction() -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", "grant", "anna")
    walk.decide("MINISTRY", "grant", "bilal", quantity=kg("1000.0"))
    assert ministry(walk).state is TaskState.DECIDED
    assert ministry(walk).quantity is None


@pytest.mark.parametrize(
    ("quantity", "place"),
    [
        (kg("1000.000001"), ("/authorised_quantity/value", "MORE_THAN_ASKED")),
        (kg("0"), ("/authorised_quantity/value", "NOT_POSITIVE")),
        (kg("-1"), ("/authorised_quantity/value", "NOT_POSITIVE")),
        (Quantity(Decimal(1), "LTR"), ("/authorised_quantity/unit", "WRONG_UNIT")),
    ],
)
def test_a_reduction_stays_within_what_was_asked(quantity: Quantity, place: tuple[str, str]) -> None:
    walk = at_the_ministry()
    with pytest.raises(Invalid) as caught:
        walk.decide("MINISTRY", "grant", "anna", quantity=quantity)
    assert violation(caught.value) == place
    assert ministry(walk).signatures == ()


@pytest.mark.parametrize(
    ("agency", "decision", "place"),
    [
        ("EXPERTS", {"outcome": "grant"}, ("/outcome", "UNKNOWN_OUTCOME")),
        ("EXPERTS", {"outcome": "favourable", "quantity": kg("1")}, ("/authorised_quantity", "NOT_REDUCIBLE")),
        ("MINISTRY", {"outcome": "refuse"}, ("/reason_code", "REASON_REQUIRED")),
        ("MINISTRY", {"outcome": "refuse", "reason_code": "PAYMENT"}, ("/reason_code", "UNKNOWN_REASON")),
        ("MINISTRY", {"outcome": "refuse", "reason_code": "WHIM"}, ("/reason_code", "UNKNOWN_REASON")),
    ],
)
def test_what_a_decision_lacks_is_said_with_its_place(agency: str, decision: Any, place: tuple[str, str]) -> None:
    walk = Walk(a_submission()) if agency == "EXPERTS" else at_the_ministry()
    with pytest.raises(Invalid) as caught:
        walk.decide(agency, **decision)
    assert violation(caught.value) == place


@pytest.mark.parametrize("unit", ["KGM", "LTR"])
def test_several_lines_cannot_be_reduced_by_one_number(unit: str) -> None:
    """The title's ledger could not say which line gives way, and the document would never move again."""
    lines = [{"value": "1", "unit": "KGM"}, {"value": "1", "unit": unit}]
    walk = Walk(a_submission(quantities=lines))
    walk.decide("EXPERTS", "favourable")
    with pytest.raises(Invalid) as caught:
        walk.decide("MINISTRY", "grant", quantity=kg("1"))
    assert violation(caught.value) == ("/authorised_quantity", "NOT_REDUCIBLE")
    assert ministry(walk).signatures == ()


def test_the_second_officer_need_not_repeat_the_reason() -> None:
    walk = at_the_ministry()
    walk.decide("MINISTRY", "refuse", "anna", reason_code="QUALITY")
    walk.decide("MINISTRY", "refuse", "bilal")
    assert (ministry(walk).reason_code, walk.case.outcome) == ("QUALITY", "refuse")


def test_the_same_decision_again_answers_the_same_and_another_is_refused() -> None:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable", comment="fine")
    assert walk.decide("EXPERTS", "favourable", comment="fine") == []
    for person, outcome in [("anna", "unfavourable"), ("bilal", "favourable")]:
        with pytest.raises(Refused, match="INVALID_TRANSITION"):
            walk.decide("EXPERTS", outcome, person, comment="fine")


def test_a_claimed_task_is_its_claimers() -> None:
    task = Walk(a_submission()).case.tasks[0].claim("anna", MONDAY)
    assert (task.state, task.claimed_by, task.claim("anna", MONDAY)) == (TaskState.CLAIMED, "anna", task)
    for refused in (
        lambda: task.claim("bilal", MONDAY),
        lambda: task.release("bilal"),
        lambda: task.must_accept("bilal"),
    ):
        with pytest.raises(Conflict, match="TASK_CLAIMED"):
            refused()
    assert task.release("anna").release("anna").state is TaskState.OPEN


def test_the_first_signature_frees_the_task_for_the_second_officer() -> None:
    walk = at_the_ministry()
    walk.case = walk.case.with_task(ministry(walk).claim("anna", MONDAY))
    walk.decide("MINISTRY", "grant", "anna")
    assert ministry(walk).state is TaskState.OPEN
    with pytest.raises(Refused, match="FOUR_EYES"):
        ministry(walk).claim("anna", MONDAY)


decisions = st.builds(
    Decision,
    person=st.sampled_from(["anna", "bilal", "chadia"]),
    outcome=st.sampled_from(["grant", "refuse"]),
    reason_code=st.sampled_from(["", "QUALITY"]),
    quantity=st.one_of(st.none(), st.decimals("-1", "1001", places=1).map(lambda value: Quantity(value, "KGM"))),
)


@given(st.lists(decisions, max_size=12))
def test_whatever_officers_do_two_different_persons_agree_or_nothing_is_decided(attempts: list[Decision]) -> None:
    walk = at_the_ministry()
    for attempt in attempts:
        with contextlib.suppress(Refused, Invalid):
            walk.decide(
                "MINISTRY", attempt.outcome, attempt.person, reason_code=attempt.reason_code, quantity=attempt.quantity
            )
        live = ministry(walk).live_signatures
        assert len({signature.person for signature in live}) == len(live) <= 2
        assert (ministry(walk).state is TaskState.DECIDED) == (len(live) == 2)
    live = ministry(walk).live_signatures
    if len(live) == 2:
        assert {signature.decision.outcome for signature in live} == {ministry(walk).outcome}
        reduced = ministry(walk).quantity
        assert reduced is None or Decimal(0) < reduced.value < 1000
        assert (walk.case.state is CaseState.CLOSED) == (ministry(walk).outcome == "refuse")
