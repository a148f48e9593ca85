"""Which import title the reference pack's goods need: the relations between its admission rules."""

from collections.abc import Mapping
from typing import Any

import packs
import pytest
from packs.decisions import DecisionTable
from packs.reader import PACKS_FOLDER

TABLE = DecisionTable.of(packs.read(PACKS_FOLDER / "morocco"))
SHOES, TILES, STEEL, USED_CLOTHES, STOVES = "640399", "690721", "720851", "630900", "732111"


def facts(kind: str, *goods: str, **changes: Any) -> Mapping[str, Any]:
    plain = {
        **{"type": f"import_title.{kind}", "direction": "import", "hs_codes": list(goods), "regime": "010"},
        **{"payment": "TRANSFER", "nature": "PURCHASE", "origin": "ES", "preference": "", "characteristics": []},
        **{"owner_attributes": [], "national_value_minor": 100_000, "net_weight_kg": "100", "destination": "MA"},
    }
    return plain | changes


@pytest.mark.parametrize(
    ("asked", "refused_by"),
    [
        (facts("ei", SHOES), []),
        (facts("ei", TILES), ["R24"]),
        (facts("li", TILES), ["R24"]),
        (facts("dpi", TILES), []),
        (facts("dpi", TILES, STEEL), []),
        (facts("dpi", USED_CLOTHES), ["R11"]),
        (facts("ei", SHOES, TILES), ["R24"]),
        (facts("ei", TILES, regime="022"), ["R25"]),
        (facts("dpi", TILES, payment="NONE"), ["R25"]),
        (facts("dpi", TILES, regime="300"), ["R25"]),
        (facts("li", USED_CLOTHES, payment="NONE"), []),
    ],
)
def test_one_rule_says_why_a_title_is_the_wrong_one(asked: Mapping[str, Any], refused_by: list[str]) -> None:
    assert [rule.id for rule in TABLE.admission(asked)] == refused_by


def test_conformity_is_asked_whatever_the_title() -> None:
    routes = {kind: {rule.id for rule in TABLE.routes(facts(kind, TILES, STOVES))} for kind in ("ei", "dpi")}
    assert routes == {"ei": {"R16", "R24"}, "dpi": {"R16", "R24"}}
