"""The linter on settlement, clearing and expiry: each fault where it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from packs.lint import lint

from tests.packs.builders import PackFolder, move, state

TYPE = "document_types/permit/type.yaml"
Change = Callable[[dict[str, Any]], Any]

SETTLEMENT: dict[str, Any] = {
    "recorder": "agency_bank",
    "role": "bank_officer",
    "pay_in": ["IMPUTABLE", "USED"],
    "exempt": "origin == 'FR'",
    "advance": {"share": "0.5", "max_minor": 100, "higher": [{"hs": ["64"], "max_minor": 200}]},
}


def settled(folder: PackFolder) -> dict[str, Any]:
    """The invented permit made a title that is imputed, expires, is paid and cleared."""
    kind: dict[str, Any] = folder[TYPE]
    kind["title"], kind["impute_in"] = True, ["IMPUTABLE"]
    kind["validity"] = {"starts_at": "IMPUTABLE", "months": 6}
    kind["states"] += [state("IMPUTABLE"), state("USED"), state("EXPIRED"), state("CLEARED", "final")]
    kind["transitions"][1]["to"] = "IMPUTABLE"
    kind["states"] = [one for one in kind["states"] if one["key"] != "GRANTED"]
    kind["transitions"] += [
        move("IMPUTABLE", "impute_partially", "IMPUTABLE", "customs"),
        move("IMPUTABLE", "impute_fully", "USED", "customs"),
        move("IMPUTABLE", "expire", "EXPIRED"),
        move("USED", "clear", "CLEARED", "bank"),
        move("EXPIRED", "clear", "CLEARED", "bank"),
    ]
    kind["facts"] |= {"agency_bank": "'BANK-1'", "currency": "'MAD'"}
    kind["settlement"] = dict(SETTLEMENT)
    return kind


def test_a_settled_title_is_without_faults(pack_folder: PackFolder) -> None:
    settled(pack_folder)
    assert [finding for finding in lint(pack_folder.write()) if finding.file == TYPE] == []


def fault(name: str, value: Any) -> Change:
    def change(kind: dict[str, Any]) -> None:
        kind["settlement"][name] = value

    return change


def unsettled(kind: dict[str, Any]) -> None:
    del kind["settlement"]


def without_fact(kind: dict[str, Any]) -> None:
    del kind["facts"]["currency"]


def without_validity(kind: dict[str, Any]) -> None:
    del kind["validity"]


def cleared_but_open(kind: dict[str, Any]) -> None:
    kind["transitions"][-1]["to"] = "USED"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kind: kind.update(title=False), "only a title has a settlement"),
        (without_fact, "a settlement needs the fact currency"),
        (fault("recorder", "nobody"), "unknown fact nobody"),
        (fault("role", "clerk"), "unknown role clerk"),
        (fault("pay_in", ["NOWHERE"]), "unknown state NOWHERE"),
        (fault("pay_in", ["CLEARED"]), "CLEARED is final: nothing is paid after it"),
        (fault("exempt", "1 +"), "not an expression"),
        (fault("shortfall", "1"), "a share from 0, less than 1"),
        (fault("advance", {"share": "1.5"}), "a share of the title: more than 0, at most 1"),
        (fault("advance", {"max_minor": 0}), "a limit is a positive number of minor units"),
        (fault("advance", {"higher": [{"hs": ["64"], "max_minor": 1}]}), "higher than no limit: max_minor is missing"),
        (unsettled, "clear from USED, and no settlement is reconciled"),
        (without_validity, "expire from IMPUTABLE, and no validity passes"),
        (cleared_but_open, "clear leads to USED, which is not final"),
    ],
)
def test_a_fault_is_said(pack_folder: PackFolder, change: Change, message: str) -> None:
    change(settled(pack_folder))
    found = [finding.message for finding in lint(pack_folder.write()) if finding.file == TYPE]
    assert any(said.startswith(message) for said in found), found
