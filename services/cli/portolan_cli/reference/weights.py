"""What a document is weighed by beside itself and the rules it meets: its owner's past, what its like used to cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from portolan_cli.reference.book import Entry, holds

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """As the window wrote it down when it judged: which of many documents came first only the window can say."""

    first_operation: bool = False
    new_supplier: bool = False
    non_conformities: int = 0
    medians: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("first_operation", "new_supplier", "non_conformities")}


NOTHING = Known()


def beside(risk: Entry, facts: Facts, known: Known) -> int:
    past = risk.get("past_findings") or {"points_each": 0, "points_max": 0}
    score = min(int(past["points_max"]), int(past["points_each"]) * known.non_conformities)
    score += _value(risk.get("unit_values"), facts, known)
    oddities = risk.get("oddities") or {"points_max": 0, "list": []}
    odd = sum(one["points"] for one in oddities["list"] if holds(one["when"], facts))
    return score + min(int(oddities["points_max"]), int(odd))


def _value(weight: Entry | None, facts: Facts, known: Known) -> int:
    """The points of the position that lies furthest off."""
    worth, national = facts.get("amount_minor"), facts.get("national_value_minor")
    if weight is None or not worth or national is None:
        return 0
    by_code: dict[str, list[Decimal]] = {}
    for line in facts.get("goods") or ():
        sums = by_code.setdefault(line["hs_code"], [Decimal(0), Decimal(0)])
        sums[0] += Decimal(line["amount_minor"]) * national / worth
        sums[1] += Decimal(str(line["net_weight_kg"]))
    return max((_points(weight, known.medians.get(code), sums) for code, sums in by_code.items()), default=0)


def _points(weight: Entry, median: Mapping[str, int] | None, sums: list[Decimal]) -> int:
    if median is None or median["samples"] < weight["samples_min"] or sums[1] <= 0:
        return 0
    here, usual = round(sums[0] * 1000 / sums[1]), median["per_tonne"]
    low, high = min(here, usual), max(here, usual)
    if low <= 0:
        return max((int(band["points"]) for band in weight["bands"]), default=0) if high > 0 else 0
    beyond = [int(band["points"]) for band in weight["bands"] if Decimal(high) / low >= Decimal(str(band["times"]))]
    return max(beyond, default=0)
