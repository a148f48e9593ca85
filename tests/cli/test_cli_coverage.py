"""Moves are read off timelines, those included that leave a title where it was."""

from typing import Any

from portolan_cli.golden.coverage import Move, moves


def state(origin: str | None, event: str, to: str) -> dict[str, Any]:
    return {"kind": "state", "from": origin, "event": event, "to": to}


def test_a_submission_is_no_move() -> None:
    assert list(moves([state(None, "submit", "A"), {"kind": "case_opened"}])) == []


def test_each_change_of_state_is_a_move() -> None:
    items = [state(None, "submit", "A"), state("A", "go", "B"), {"kind": "charge_recorded"}, state("B", "go", "C")]
    assert list(moves(items)) == [Move("A", "go", "B"), Move("B", "go", "C")]


def test_an_imputation_that_changes_no_state_is_one_too() -> None:
    acts = [{"kind": "imputed"}, state("A", "impute_partially", "B"), {"kind": "imputed"}, {"kind": "released"}]
    assert list(moves([state(None, "submit", "A"), *acts])) == [
        Move("A", "impute_partially", "B"),
        Move("B", "impute_partially", "B"),
        Move("B", "release_imputation", "B"),
    ]
