"""What was known of a document's owner and goods when it was judged; kept, so that the judgement can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

Facts = Mapping[str, Any]
KILOGRAMS = Decimal(1000)


class Median(msgspec.Struct, frozen=True):
    """Of goods of one HS position and origin: national minor units by tonne, and of how many documents."""

    per_tonne: int
    samples: int


class History(msgspec.Struct, frozen=True):
    first_operation: bool = False
    new_supplier: bool = False
    non_conformities: int = 0
    medians: dict[str, Median] = {}

    def facts(self) -> dict[str, Any]:
        """What a rule's condition may ask of it."""
        return {
            "first_operation": self.first_operation,
            "new_supplier": self.new_supplier,
            "non_conformities": self.non_conformities,
        }


UNKNOWN = History()
HISTORY_FACTS = frozenset(UNKNOWN.facts())
# The facts of a document that its history is looked up by; a type that derives none has none.
SUPPLIER_FACT = "supplier"
GOODS_FACT = "goods"


def supplier(facts: Facts) -> str:
    """The same name in other capitals or with other spaces is the same supplier."""
    return " ".join(str(facts.get(SUPPLIER_FACT) or "").casefold().split())


def unit_values(facts: Facts) -> dict[str, int]:
    """National minor units by tonne, for each HS position whose value and weight are known."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for code, value, weight in _lines(facts):
        before_value, before_weight = sums.get(code, (Decimal(0), Decimal(0)))
        sums[code] = (before_value + value, before_weight + weight)
    return {code: _per_tonne(value, weight) for code, (value, weight) in sums.items() if weight > 0}


def _lines(facts: Facts) -> Iterator[tuple[str, Decimal, Decimal]]:
    total, national = facts.get("amount_minor"), facts.get("national_value_minor")
    if not isinstance(total, int) or not isinstance(national, int) or total <= 0:
        return
    for line in facts.get(GOODS_FACT) or ():
        share = Decimal(line["amount_minor"]) / total
        yield str(line["hs_code"])[:6], share * national, Decimal(str(line["net_weight_kg"]))


def _per_tonne(value: Decimal, weight: Decimal) -> int:
    return int((value * KILOGRAMS / weight).quantize(Decimal(1), ROUND_HALF_UP))
