"""The score by its parts: each within its bounds, each with its reason, none from what is not known."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from packs.decisions import DecisionTable
from packs.errors import ExpressionError
from packs.history import History, Median, supplier, unit_values
from packs.model import Alert, Band, Oddities, Oddity, PastFindings, Risk, Rule, Thresholds, UnitValues
from packs.scoring import Watch

BANDS = (Band(times=Decimal(2), points=5), Band(times=Decimal(5), points=15))
RISK = Risk(
    thresholds=Thresholds(orange=30, red=60),
    default_chapter_weight=5,
    default_origin_weight=4,
    past_findings=PastFindings(months=24, points_each=10, points_max=25),
    unit_values=UnitValues(months=12, samples_min=5, bands=BANDS),
    oddities=Oddities(
        points_max=10,
        list=(
            Oddity(id="SELLER", labels={"en": "seller"}, when="seller != origin", points=6),
            Oddity(id="DETOUR", labels={"en": "detour"}, when="via != origin", points=7),
        ),
    ),
    labels={"findings": {"en": "findings"}, "value": {"en": "value"}},
)
TABLE = DecisionTable([Rule(id="AEO", labels={}, when="trusted == true", risk=-25)], RISK)


def facts(**changes: Any) -> dict[str, Any]:
    goods = [{"hs_code": "640399", "amount_minor": 1000, "net_weight_kg": "10"}]
    plain = {
        "direction": "import",
        "type": "title",
        "hs_codes": ["640399"],
        "origin": "FR",
        "seller": "FR",
        "via": "FR",
    }
    return {**plain, "goods": goods, "amount_minor": 1000, "national_value_minor": 10_000, **changes}


def points(history: History, **changes: Any) -> dict[str, int]:
    return {factor.code: factor.points for factor in TABLE.plan(facts(**changes), history).factors}


@pytest.mark.parametrize(("number", "given"), [(0, None), (1, 10), (2, 20), (3, 25), (100, 25)])
def test_past_findings_weigh_up_to_their_most(number: int, given: int | None) -> None:
    assert points(History(non_conformities=number)).get(f"findings:{number}") == given


# The document's own goods are worth 1,000,000 a tonne.
@pytest.mark.parametrize(
    ("median", "samples", "given"),
    [
        (1_000_000, 5, None),
        (600_000, 5, None),
        (500_000, 5, 5),
        (2_000_000, 5, 5),
        (200_000, 5, 15),
        (5_000_000, 5, 15),
        (200_000, 4, None),
        (0, 5, 15),
    ],
)
def test_a_value_far_from_the_median_weighs_either_way(median: int, samples: int, given: int | None) -> None:
    assert points(History(medians={"640399": Median(median, samples)})).get("value:640399") == given


@pytest.mark.parametrize(
    "changes",
    [
        {"national_value_minor": None},
        {"amount_minor": None},
        {"amount_minor": 0},
        {"goods": None},
        {"goods": [{"hs_code": "640399", "amount_minor": 1000, "net_weight_kg": "0"}]},
        {"goods": [{"hs_code": "610910", "amount_minor": 1000, "net_weight_kg": "10"}]},
    ],
)
def test_what_is_not_known_is_not_held_against_anybody(changes: dict[str, Any]) -> None:
    history = History(medians={"640399": Median(1, 99)})
    assert not any(code.startswith("value:") for code in points(history, **changes))


def test_lines_of_one_position_are_weighed_together_and_the_worst_position_speaks() -> None:
    goods = [
        {"hs_code": "640399", "amount_minor": 400, "net_weight_kg": "4"},
        {"hs_code": "640399", "amount_minor": 400, "net_weight_kg": "4"},
        {"hs_code": "610910", "amount_minor": 200, "net_weight_kg": "2"},
    ]
    assert unit_values(facts(goods=goods)) == {"640399": 1_000_000, "610910": 1_000_000}
    medians = {"640399": Median(400_000, 9), "610910": Median(100_000, 9)}
    assert points(History(medians=medians), goods=goods)["value:610910"] == 15


def test_oddities_together_weigh_no_more_than_their_most() -> None:
    assert points(History(), seller="CN") == {"chapter:64": 5, "origin:FR": 4, "SELLER": 6}
    assert points(History(), seller="CN", via="CN") == {"chapter:64": 5, "origin:FR": 4, "SELLER": 6, "DETOUR": 4}


def test_an_oddity_that_cannot_be_judged_says_which() -> None:
    odd = Oddity(id="ODD", labels={}, when="missing > 3", points=1)
    table = DecisionTable([], Risk(oddities=Oddities(points_max=1, list=(odd,))))
    with pytest.raises(ExpressionError, match="oddity ODD"):
        table.plan(facts())


def test_everything_at_once_is_bounded_and_trust_takes_off() -> None:
    worst = History(non_conformities=9, medians={"640399": Median(1, 9)})
    plan = TABLE.plan(facts(seller="CN", via="CN"), worst)
    assert (plan.score, plan.lane.channel) == (5 + 4 + 25 + 15 + 10, "orange")
    trusted = TABLE.plan(facts(seller="CN", via="CN", trusted=True), worst)
    assert (trusted.score, trusted.factors[-1].points) == (34, -25)
    assert TABLE.plan(facts(trusted=True)).score == 0


ALERT = Alert(id="SPS", labels={}, origins=("BR",), hs=("0207",), from_=date(2026, 3, 1), to=date(2026, 3, 31))


@pytest.mark.parametrize(
    ("changes", "raised"),
    [
        ({}, ["SPS"]),
        ({"origin": "PL"}, []),
        ({"hs_codes": ["020110"]}, []),
        ({"hs_codes": ["020110", "020714"]}, ["SPS"]),
        ({"submitted_at": None}, []),
        ({"submitted_at": "2026-02-28T23:30:00Z"}, ["SPS"]),  # it is March already where the country is
        ({"submitted_at": "2026-02-28T22:30:00Z"}, []),
        ({"submitted_at": "2026-03-31T22:30:00Z"}, ["SPS"]),
        ({"submitted_at": "2026-03-31T23:30:00Z"}, []),
    ],
)
def test_an_alert_holds_for_its_origins_goods_and_days(changes: dict[str, Any], raised: list[str]) -> None:
    watched = {"origin": "BR", "hs_codes": ["020714"], "submitted_at": "2026-03-10T09:00:00Z", **changes}
    assert Watch([ALERT], "Africa/Lagos").raised(watched) == raised


def test_an_alert_without_goods_or_without_an_end_watches_all_of_them() -> None:
    everything = Alert(id="ALL", labels={}, origins=("BR",), from_=date(2026, 1, 1))
    assert Watch([everything]).raised(facts(origin="BR", submitted_at="2099-01-01T00:00:00Z")) == ["ALL"]


def test_rules_may_ask_for_alerts_and_for_history() -> None:
    rules = [
        Rule(id="WATCHED", labels={}, when="len(alerts) > 0", risk=30, channel="red"),
        Rule(id="NEW", labels={}, when="first_operation or new_supplier", four_eyes=True),
    ]
    table = DecisionTable(rules, RISK, "1", Watch([ALERT]))
    met = {"origin": "BR", "hs_codes": ["020714"], "submitted_at": "2026-03-10T09:00:00Z"}
    assert [rule.id for rule in table.match(facts(**met))] == ["WATCHED"]
    assert table.plan(facts(**met), History(new_supplier=True)).four_eyes == ("NEW",)
    assert table.plan(facts()).four_eyes == ()


def test_a_supplier_is_the_same_however_it_is_spaced_and_capitalised() -> None:
    assert supplier({"supplier": " CN  Wenzhou BRIGHT "}) == supplier({"supplier": "cn wenzhou bright"})
    assert supplier({}) == ""
