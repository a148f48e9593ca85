"""What a case expects against what came: a difference says where, and both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

IN_APP = "in_app"


@dataclass(frozen=True)
class Difference:
    where: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected!r}, got {self.actual!r}"


def differences(where: str, expected: Any, actual: Any) -> list[Difference]:
    """Of an object every expected member must be there; of a list every expected item must match one that came."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return [
            found
            for name, value in expected.items()
            for found in differences(f"{where}.{name}", value, actual.get(name))
        ]
    if isinstance(expected, list) and isinstance(actual, list):
        missing = [item for item in expected if not any(not differences("", item, came) for came in actual)]
        return [Difference(where, item, actual) for item in missing]
    return [] if same(expected, actual) else [Difference(where, expected, actual)]


def same(expected: Any, actual: Any) -> bool:
    """A bare number stands for a quantity or an amount, and 1.50 for 1.5."""
    if isinstance(actual, Mapping) and not isinstance(expected, Mapping):
        actual = actual.get("value", actual.get("amount_minor"))
    if expected == actual:
        return True
    left, right = _decimal(expected), _decimal(actual)
    return left is not None and left == right


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def timeline_gaps(where: str, timeline: Mapping[str, Any], state: str) -> list[Difference]:
    """Numbers without a gap, each state reached from the one before, the last one being where the document is."""
    items = timeline["items"]
    found = [
        Difference(f"{where}.timeline.seq", number, item["seq"])
        for number, item in enumerate(items, start=1)
        if item["seq"] != number
    ]
    at: str | None = None
    for item in items:
        if item.get("to") and item.get("to") != item.get("from"):
            if at is not None and item.get("from") != at:
                found.append(Difference(f"{where}.timeline[{item['seq']}].from", at, item.get("from")))
            at = item["to"]
    if at != state:
        found.append(Difference(f"{where}.timeline ends in", state, at))
    return found


def charge_differences(
    where: str, expected: Sequence[Mapping[str, Any]], actual: Iterable[Mapping[str, Any]]
) -> list[Difference]:
    """Exactly these charges: one more is as wrong as one less."""
    wanted = Counter((c["tariff"], c["amount_minor"], c["currency"]) for c in expected)
    return counted_differences(f"{where}.charges", wanted, counted_charges(actual))


def credit_differences(
    where: str, expected: Sequence[Mapping[str, Any]], actual: Iterable[Mapping[str, Any]]
) -> list[Difference]:
    """Exactly these were given back: a charge that names none keeps all."""
    wanted = Counter((c["tariff"], *_credit(one)) for c in expected for one in c.get("credits", ()))
    return counted_differences(f"{where}.credits", wanted, counted_credits(actual))


def counted_credits(charges: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str, int]]:
    given = [(c["tariff"], one) for c in charges for one in c.get("credits", ())]
    return Counter((tariff, one["policy"], one["amount"]["amount_minor"]) for tariff, one in given)


def _credit(expected: Mapping[str, Any]) -> tuple[str, int]:
    return expected["policy"], expected["amount_minor"]


def counted_charges(charges: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, int, str]]:
    return Counter((c["tariff"], c["amount"]["amount_minor"], c["amount"]["currency"]) for c in charges)


def notification_differences(
    where: str, expected: Mapping[str, Any], actual: Iterable[Mapping[str, Any]]
) -> list[Difference]:
    """These rules and no other reached this recipient's feed, in this language; how often is the case's own affair."""
    wanted = {(rule, expected["language"]) for rule in expected["rules"]}
    came = {(notice["rule"], notice["language"]) for notice in in_app(actual)}
    place = f"{where}.notifications to {expected['to']}"
    return [] if wanted == came else [Difference(place, sorted(wanted), sorted(came))]


def in_app(notices: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [notice for notice in notices if notice.get("channel", IN_APP) == IN_APP]


def counted_differences(where: str, wanted: Counter[Any], came: Counter[Any]) -> list[Difference]:
    return [Difference(f"{where} {key}", wanted[key], came[key]) for key in wanted | came if wanted[key] != came[key]]
