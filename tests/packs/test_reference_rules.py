"""Every rule of the reference table: facts that meet it, and facts that nearly do."""

from typing import Any

import packs
import pytest
import yaml
from packs.decisions import DecisionTable
from packs.history import UNKNOWN, History
from packs.reader import PACKS_FOLDER

from tests.packs.builders import ROOT

TABLE = DecisionTable.of(packs.read(PACKS_FOLDER / "morocco"))
DATA = yaml.safe_load((ROOT / "reference_rules.yaml").read_text())
EXAMPLES = DATA["rules"]


def met(rule: str, changes: dict[str, Any], history: History = UNKNOWN) -> bool:
    other = DATA["export"] if EXAMPLES[rule].get("export") else {}
    facts = DATA["plain"] | other | {"document_id": undrawn()} | changes
    if changes.get("document_id") == "drawn":
        facts["document_id"] = next(name for name in names() if "R32" in ids(DATA["plain"] | {"document_id": name}))
    return rule in [one.id for one in TABLE.plan(facts, history).rules]


def ids(facts: dict[str, Any]) -> list[str]:
    return [rule.id for rule in TABLE.match(facts)]


def names() -> list[str]:
    return [f"d-{number}" for number in range(1000)]


def undrawn() -> str:
    return next(name for name in names() if "R32" not in ids(DATA["plain"] | {"document_id": name}))


def test_every_rule_has_its_examples_and_every_number_its_rule() -> None:
    assert set(EXAMPLES) == {rule.id for rule in TABLE.rules}
    assert {rule.id[:3] for rule in TABLE.rules} == {f"R{number:02}" for number in range(1, 33)}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_rule_is_met_by_its_own_and_by_nothing_near(rule: str) -> None:
    assert met(rule, EXAMPLES[rule]["meets"])
    assert not met(rule, EXAMPLES[rule]["not"] | {"document_id": undrawn()})


@pytest.mark.parametrize("case", DATA["histories"], ids=str)
def test_a_history_meets_it(case: dict[str, Any]) -> None:
    history = History(**(case.get("meets") or case.get("not") or {}))
    assert met(case["rule"], case.get("facts") or {}, history) is ("meets" in case)


def test_what_a_rule_says_of_its_goods_follows() -> None:
    watched = DATA["plain"] | {"hs_codes": ["020714"], "origin": "BR", "document_id": undrawn()}
    plan = TABLE.plan(watched)
    assert plan.lane.rule == "R28"
    assert plan.lane.channel == "red"
    assert [factor.points for factor in plan.factors if factor.code == "R28"] == [30]
    assert TABLE.plan(DATA["plain"], History(first_operation=True)).four_eyes == ("R30",)
