"""The golden runner: says what went otherwise, waits within limits, survives a service that is starting again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kit.clock import read_ahead_s
from packs.reader import default_pack_path
from portolan_cli import demo_file
from portolan_cli.demo_file import Demo
from portolan_cli.golden import Case, CaseError, Play, case, load, load_moves, play
from portolan_cli.golden.hurrying import HURRIES_MAX

from tests.cli.fake_window import DEMO, TYPE, Window, serving

SUBMIT: dict[str, Any] = {
    "as": "trader",
    "submit": {"type": TYPE, "example": True},
    "save": "permit",
    "expect": {"state": "FILED"},
}
GRANT: dict[str, Any] = {"as": "officer", "decide": {"document": "permit", "step": "check", "outcome": "grant"}}
ENDING: dict[str, Any] = {
    "document": "permit",
    "state": "GRANTED",
    "charges": [{"tariff": "T", "amount_minor": 100, "currency": "XXX"}],
    "notifications": [{"to": "trader", "language": "en", "rules": ["N1"]}],
    "timeline": "complete",
}


def a_case(*steps: dict[str, Any], ending: dict[str, Any] | None = None) -> Case:
    actors = {"trader": {"kind": "importer"}, "officer": {"agency": "DESK"}, "second": {"agency": "DESK", "nth": 2}}
    content = {"name": "permit", "actors": actors, "steps": steps or [SUBMIT, GRANT], "finally": [ending or ENDING]}
    return case.from_content(content)


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture
def demo(window: Window) -> Iterator[Demo]:
    with serving(window) as base_url:
        yield demo_file.from_content({**DEMO, "base_url": base_url})


def played(demo: Demo, of: Case | None = None, **limits: Any) -> Play:
    return play(of or a_case(), demo, **({"eventual_s": 0.5, "patience_s": 5.0} | limits))


def told(result: Play) -> str:
    return "; ".join(map(str, result.differences))


def test_a_case_that_goes_as_expected_has_no_differences(demo: Demo) -> None:
    result = played(demo)
    assert told(result) == ""
    assert result.documents["permit"].reference == "d1"
    assert result.effects["permit"].charges == {("T", 100, "XXX"): 1}
    assert [step.step.verb for step in result.steps] == ["submit", "decide"]


def test_a_state_that_passed_by_unseen_counts(demo: Demo) -> None:
    assert told(played(demo, a_case(SUBMIT, {**GRANT, "expect": {"state": "CHECKED"}}))) == ""


def test_a_wrong_state_is_a_difference_and_ends_the_play(demo: Demo) -> None:
    result = played(demo, a_case({**SUBMIT, "expect": {"state": "SEALED"}}, GRANT))
    assert told(result) == "step 1 (trader submit permit).state: expected 'SEALED', got 'FILED'"
    assert len(result.steps) == 1


def test_an_expected_refusal_is_compared_with_its_facts(demo: Demo) -> None:
    refused = {**GRANT, "decide": {**GRANT["decide"], "outcome": "refuse"}}
    expected = {"code": "QUANTITY_EXCEEDED", "facts": {"remaining": "2.5"}}
    assert told(played(demo, a_case(SUBMIT, {**refused, "expect_problem": expected}, GRANT))) == ""
    wrong = {**expected, "facts": {"remaining": "3"}}
    assert "remaining: expected '3'" in told(played(demo, a_case(SUBMIT, {**refused, "expect_problem": wrong})))


def test_an_acceptance_where_a_refusal_is_expected_is_a_difference(demo: Demo) -> None:
    assert "FOUR_EYES" in told(played(demo, a_case(SUBMIT, {**GRANT, "expect_problem": {"code": "FOUR_EYES"}})))


def test_a_task_that_comes_late_is_waited_for(demo: Demo, window: Window) -> None:
    window.early_looks = 3
    assert told(played(demo)) == ""


def test_a_task_that_never_comes_is_a_difference(demo: Demo, window: Window) -> None:
    window.early_looks = 1000
    assert "no open task check" in told(played(demo, eventual_s=0.2))


def test_a_service_that_is_starting_again_is_asked_again_under_the_same_key(demo: Demo, window: Window) -> None:
    window.faults = {"/v1/documents": 2, "/v1/tasks/t-d1:decide": 1, "/oauth/token": 1, "/v1/charges": 1}
    assert told(played(demo)) == ""
    assert len({key for _, path, key in window.requests if path == "/v1/documents"}) == 1
    assert len(window.documents) == 1


def test_patience_has_an_end(demo: Demo, window: Window) -> None:
    window.faults = {"/v1/documents": 1000}
    assert "OVERLOADED" in told(played(demo, patience_s=0.3))


def test_nobody_there_at_the_end_is_a_difference_too(demo: Demo, window: Window) -> None:
    window.faults = {"/v1/charges": 1000}
    assert "/v1/charges: 503" in told(played(demo, patience_s=0.3))


def test_two_plays_use_different_keys(demo: Demo, window: Window) -> None:
    for run_id in ("a", "b"):
        play(a_case(), demo, run_id=run_id, eventual_s=0.5)
    assert len(window.documents) == 2


def test_a_doubled_charge_is_a_difference(demo: Demo, window: Window) -> None:
    window.charges = 2
    assert "expected 1, got 2" in told(played(demo))


def test_a_missing_and_a_needless_notification_are_differences(demo: Demo, window: Window) -> None:
    window.notices = ["N2"]
    assert "notifications to trader: expected [('N1', 'en')], got [('N2', 'en')]" in told(played(demo))


def test_a_gap_in_the_timeline_is_a_difference(demo: Demo, window: Window) -> None:
    window.timeline_gap = True
    assert "timeline.seq" in told(played(demo))


def test_changes_are_made_to_a_copy_of_the_example(demo: Demo, window: Window) -> None:
    changes = {"/goods/0/weight": 5, "/goods/-": {"weight": 2}, "/note": None}
    changed = {**SUBMIT, "submit": {"type": TYPE, "changes": changes}}
    played(demo, a_case(changed, GRANT))
    assert window.documents["d1"]["body"] == {"goods": [{"weight": 5}, {"weight": 2}]}


def test_an_actor_that_demo_json_lacks_is_a_difference(demo: Demo) -> None:
    content = {"name": "x", "actors": {"ghost": {"kind": "ghost"}}, "steps": [{**SUBMIT, "as": "ghost"}]}
    assert "'kind': 'ghost'" in told(played(demo, case.from_content(content)))


WAIT: dict[str, Any] = {"wait": {"days": 10, "hours": 1}}


def test_a_wait_moves_the_clock_of_the_whole_demo(demo: Demo, window: Window, tmp_path: Path) -> None:
    window.clock = tmp_path / "ahead"
    moved = replace(demo, clock=window.clock)
    assert told(played(moved, a_case(SUBMIT, WAIT, WAIT, GRANT))) == ""
    assert read_ahead_s(window.clock) == 2 * timedelta(days=10, hours=1).total_seconds()


def test_what_does_not_move_on_is_a_difference(demo: Demo, tmp_path: Path) -> None:
    assert "does not follow" in told(played(replace(demo, clock=tmp_path / "ahead"), a_case(SUBMIT, WAIT, GRANT)))


def test_a_demo_on_another_machine_cannot_be_moved(demo: Demo) -> None:
    assert "on this machine" in told(played(demo, a_case(SUBMIT, WAIT, GRANT)))


def test_whoever_waits_is_played_last() -> None:
    moves = load_moves(default_pack_path())
    assert [one.waits for one in moves] == sorted(one.waits for one in moves)
    assert moves[-1].waits


def test_what_comes_by_itself_is_seen(demo: Demo) -> None:
    see = {"as": "trader", "see": {"document": "permit"}, "expect": {"state": "GRANTED"}}
    assert told(played(demo, a_case(SUBMIT, GRANT, see))) == ""
    assert "GRANTED" in told(played(demo, a_case(SUBMIT, see)))


AT_ONCE: dict[str, Any] = {
    "as": "trader",
    "submit": {"type": TYPE, "example": True, "at_once": "withdraw"},
    "save": "permit",
    "expect": {"state": "WITHDRAWN"},
}
TAKEN_BACK: dict[str, Any] = {"document": "permit", "state": "WITHDRAWN", "timeline": "complete"}


def test_a_document_is_taken_back_before_anybody_has_heard_of_it(demo: Demo, window: Window) -> None:
    window.heard_at_once = 3
    result = played(demo, a_case(AT_ONCE, ending=TAKEN_BACK))
    assert told(result) == ""
    assert result.documents["permit"].reference == "d4"


def test_a_bus_that_is_always_faster_is_a_difference(demo: Demo, window: Window) -> None:
    window.heard_at_once = HURRIES_MAX
    assert "never in its first state" in told(played(demo, a_case(AT_ONCE, ending=TAKEN_BACK)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nactors: {a: {}}\nsteps: [{as: b, submit: {}}]", "'b' is not among the actors"),
        ("name: x\nactors: {a: {}}\nsteps: [{as: a}]", "exactly one of"),
        ("name: x\nactors: {a: {}}\nsteps: [{submit: {}}]", "exactly one of"),
        ("name: x\nactors: {a: {}}\nsteps: [{as: a, wait: {days: 1}}]", "exactly one of"),
        ("name: x\nactors: {a: {}}\nsteps: [{wait: 10}]", "a wait is of days, hours, minutes"),
        ("name: x\nactors: {a: {}}\nsteps: [{wait: {weeks: 1}}]", "a wait is of days, hours, minutes"),
        ("name: x\nactors: {a: {}}\nsteps: [{as: a, submit: {}, expects: {}}]", "unknown expects"),
        ("name: x\nactors: {a: {}}", "steps is missing"),
        ("[1, 2]", "a case is a mapping"),
        ("name: [", "case.yaml"),
    ],
)
def test_a_file_that_is_no_case_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(text)
    with pytest.raises(CaseError, match=message):
        load(file)
