"""The linter on conditions: each fault where it stands; and parameters judged by their schema and the pack's lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import packs
import pytest
from packs.lint import lint

from tests.packs.builders import PackFolder, move, state, words

TYPE = "document_types/permit/type.yaml"
Change = Callable[[dict[str, Any]], Any]
FIRST = "bank"
SILENCE: dict[str, Any] = {"outcome": "fine", "seconds": 999999, "basis": words("law")}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["origin"],
    "x-labels": words("Origin"),
    "properties": {"origin": {"type": "string", "maxLength": 2, "x-list": "countries", "x-labels": words("Origin")}},
    "examples": [{"origin": "FR"}],
}


def conditional(folder: PackFolder) -> dict[str, Any]:
    """The invented permit made a title whose bank may set conditions, and meet one at a second look."""
    kind: dict[str, Any] = folder[TYPE]
    kind["title"], kind["impute_in"] = True, ["GRANTED"]
    kind["states"] += [state("SEEN", "final")]
    kind["transitions"] += [move("GRANTED", "second_look", "SEEN", "bank")]
    kind["states"] = [{**one, "kind": "open"} if one["key"] == "GRANTED" else one for one in kind["states"]]
    first = kind["steps"][0]
    outcomes = {"fine": {"event": "second_look", "then": "next", "labels": words("Fine")}}
    kind["steps"].append({**first, "key": "second", "enters": "", "outcomes": outcomes})
    kind["steps"][0]["outcomes"] = {**first["outcomes"]}
    kind["conditions"] = [
        a_condition("file", satisfied_by={"attachment": True}, blocks="release"),
        a_condition("look", satisfied_by={"step": "second"}),
        a_condition(
            "place",
            satisfied_by={"declaration": "declaration.office == parameters.origin"},
            blocks="imputation",
            parameters=PARAMETERS,
        ),
    ]
    return kind


def a_condition(key: str, **other: Any) -> dict[str, Any]:
    return {"key": key, "labels": words(key), "steps": [FIRST], "outcomes": ["accept"], **other}


def test_conditions_without_a_fault(pack_folder: PackFolder) -> None:
    conditional(pack_folder)
    assert [finding for finding in lint(pack_folder.write()) if "condition" in finding.message] == []


def change(place: int, name: str, value: Any) -> Change:
    def make(kind: dict[str, Any]) -> None:
        kind["conditions"][place][name] = value

    return make


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (change(1, "key", "file"), "condition file is given twice"),
        (change(0, "steps", ["nowhere"]), "unknown step nowhere"),
        (change(0, "outcomes", ["maybe"]), "none of its steps has an outcome maybe"),
        (change(0, "outcomes", ["reject"]), "reject closes the case"),
        (change(0, "satisfied_by", {}), "exactly one of step, attachment and declaration"),
        (change(0, "blocks", None), "it holds nothing back"),
        (change(1, "satisfied_by", {"step": FIRST}), "does not come after the steps that set it"),
        (change(1, "satisfied_by", {"step": "nowhere"}), "unknown step nowhere"),
        (change(2, "blocks", "release"), "blocks is imputation"),
        (change(2, "satisfied_by", {"declaration": "body.office == 1"}), "unknown fact body"),
        (change(2, "satisfied_by", {"declaration": "declaration.office =="}), "not an expression"),
        (change(2, "satisfied_by", {"declaration": "declaration.office"}), "on the example"),
        (change(2, "parameters", {**PARAMETERS, "examples": []}), "need an example"),
        (change(2, "parameters", {**PARAMETERS, "additionalProperties": True}), "additionalProperties must be false"),
        (change(0, "labels", {"fr": "Seul"}), "no label in en"),
        (lambda kind: kind.update(title=False), "only a title is imputed"),
        (lambda kind: kind["steps"][1].update(tacit=SILENCE), "silence may decide second"),
        (lambda kind: kind["steps"][1].update(agency={"rules": "control"}), "second may be skipped"),
    ],
)
def test_a_fault_is_said(pack_folder: PackFolder, fault: Change, message: str) -> None:
    fault(conditional(pack_folder))
    assert [finding for finding in lint(pack_folder.write()) if message in finding.message], lint(pack_folder.root)


def test_parameters_are_judged_by_their_schema_and_then_by_the_lists() -> None:
    pack = packs.read(packs.default_pack_path())
    offices = pack.document_types["import_title.li"].condition("named_offices")
    assert offices is not None
    assert [fault.pointer for fault in offices.faults({"offices": []}, pack.lists)] == ["/offices"]
    unknown = list(offices.faults({"offices": ["309", "999"]}, pack.lists))
    assert [(fault.pointer, fault.code) for fault in unknown] == [("/offices/1", "UNKNOWN_CODE")]
    assert list(offices.faults({"offices": ["309"]}, pack.lists)) == []
    file = pack.document_types["export_title"].condition("inspection_report")
    assert file is not None
    assert [fault.code for fault in file.faults({"more": 1}, pack.lists)] == ["INVALID_PARAMETER"]
