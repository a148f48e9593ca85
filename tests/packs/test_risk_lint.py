"""What is wrong with a pack's weights, alerts and history is found where it stands."""

from typing import Any

import pytest
from packs.lint import lint

from tests.packs.builders import PackFolder, words

GOODS = "[{hs_code: body.goods[0], amount_minor: body.amount, net_weight_kg: '1'}]"


@pytest.fixture
def weighing(pack_folder: PackFolder) -> PackFolder:
    """The invented pack with everything the score can be made of."""
    pack_folder.type["facts"]["goods"] = GOODS
    pack_folder.type["steps"][0]["outcomes"]["reject"]["non_conforming"] = True
    pack_folder["risk.yaml"] |= {
        "past_findings": {"months": 24, "points_each": 10, "points_max": 25},
        "unit_values": {"months": 12, "samples_min": 5, "bands": [{"times": "2", "points": 5}]},
        "oddities": {
            "points_max": 10,
            "list": [{"id": "ODD", "labels": words("odd"), "when": "origin == 'AQ'", "points": 3}],
        },
        "labels": {name: words(name) for name in ("chapter", "origin", "findings", "value")},
    }
    pack_folder["alerts.yaml"] = {
        "alerts": [{"id": "SPS", "labels": words("sps"), "origins": ["CN"], "hs": ["6403"], "from": "2026-01-01"}]
    }
    watch = {"id": "WATCH", "labels": words("watch"), "when": "len(alerts) > 0 or first_operation", "risk": 30}
    pack_folder["routing.yaml"]["rules"].append(watch)
    return pack_folder


def test_a_pack_that_weighs_everything_has_no_findings(weighing: PackFolder) -> None:
    assert lint(weighing.write()) == []


FAULTS: list[tuple[tuple[Any, ...], Any, str]] = [
    (("risk.yaml", "past_findings", "months"), 0, "from one to 120 months"),
    (("risk.yaml", "past_findings", "points_max"), 5, "points_each is positive and not above points_max"),
    (("risk.yaml", "unit_values", "months"), 25, "from one to 24 months"),
    (("risk.yaml", "unit_values", "samples_min"), 0, "one sample or more"),
    (("risk.yaml", "unit_values", "bands", 0, "times"), "1", "more than once the median"),
    (("risk.yaml", "oddities", "list", 0, "points"), 11, "points lie between 1 and points_max"),
    (("risk.yaml", "oddities", "list", 0, "when"), "colour == 1", "no document type derives the fact colour"),
    (("risk.yaml", "oddities", "list", 0, "when"), "first_operation", "derives the fact first_operation"),
    (("risk.yaml", "oddities", "list", 0, "when"), "origin ==", "not an expression"),
    (("risk.yaml", "oddities", "list", 0, "when"), "origin > 3", "on the example of permit"),
    (("risk.yaml", "oddities", "list", 0, "labels"), {"fr": "f", "ar": "a"}, "no label in en"),
    (("risk.yaml", "labels"), {"value": words("value")}, "no labels say what findings is"),
    (("alerts.yaml", "alerts", 0, "to"), "2025-12-31", "ends before it begins"),
    (("alerts.yaml", "alerts", 0, "origins"), ["QQ"], "unknown country QQ"),
    (("alerts.yaml", "alerts", 0, "hs"), ["0000"], "no goods have the code 0000"),
    (("alerts.yaml", "alerts", 0, "labels"), {"fr": "f", "en": "e"}, "no label in ar"),
    (("routing.yaml", "rules", 1, "when"), "origin == 'CN'", "no rule asks for alerts"),
    (("routing.yaml", "rules", 1, "automatic"), "new_supplier", "no document type derives the fact new_supplier"),
]


@pytest.mark.parametrize(("place", "value", "message"), FAULTS, ids=[str(fault[0]) + str(fault[1]) for fault in FAULTS])
def test_a_fault_is_named(weighing: PackFolder, place: tuple[Any, ...], value: Any, message: str) -> None:
    inner = weighing[place[0]]
    for step in place[1:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    found = [finding.message for finding in lint(weighing.write())]
    assert any(message in one for one in found), found


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"origins": [], "hs": None}, "SPS names neither origins nor goods"),
    ],
)
def test_an_alert_watches_something(weighing: PackFolder, wrong: dict[str, Any], message: str) -> None:
    weighing["alerts.yaml"]["alerts"][0] |= wrong
    assert message in [finding.message for finding in lint(weighing.write())]


def test_who_counts_non_conformities_has_outcomes_that_are_ones(weighing: PackFolder) -> None:
    del weighing.type["steps"][0]["outcomes"]["reject"]["non_conforming"]
    assert "no outcome of any step is non_conforming" in [one.message for one in lint(weighing.write())]


def test_who_compares_values_has_goods_to_compare(weighing: PackFolder) -> None:
    del weighing.type["facts"]["goods"]
    assert "no document type derives the fact goods" in [one.message for one in lint(weighing.write())]


@pytest.mark.parametrize(
    "rule",
    [
        {"when": "first_operation", "requires_type": "permit"},
        {"when": "non_conformities > 3", "not_required": True},
        {"when": "new_supplier", "agency": "HEALTH", "document": "paper"},
    ],
)
def test_nobody_is_admitted_by_history(weighing: PackFolder, rule: dict[str, Any]) -> None:
    admits = {"id": "ADMITS", "labels": words("admits"), "agency": "HEALTH", "document": "paper", "types": ["permit"]}
    weighing["routing.yaml"]["rules"] += [
        {"id": "ASKS", "labels": words("asks"), **rule},
        {**admits, "requires_type": "permit"},
    ]
    assert any("decides who is admitted" in one.message for one in lint(weighing.write()))
