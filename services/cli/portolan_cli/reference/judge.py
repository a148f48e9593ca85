"""Whether a submission is taken: shape, lists, the type's checks, the table's admission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_currency_precision

from portolan_cli.reference import schema, table
from portolan_cli.reference.book import Book, value
from portolan_cli.reference.weights import NOTHING, Known


@dataclass(frozen=True)
class Filed:
    """Who files for whom, when: what facts are derived from beside the body."""

    type: str
    body: Mapping[str, Any]
    owner_id: str
    owner_attributes: tuple[str, ...]
    owner_billing_mode: str
    submitter_id: str
    day: str
    document_id: str = ""
    known: Known = NOTHING


@dataclass(frozen=True)
class Judgement:
    """`violations`: place and code of each; none for what is taken."""

    violations: frozenset[tuple[str, str]]
    facts: Mapping[str, Any]


def judge(book: Book, filed: Filed) -> Judgement:
    kind = book.types[filed.type]
    shape = schema.faults(kind["schema"], filed.body, book)
    if shape:
        return Judgement(frozenset(shape), {})
    given = {"body": filed.body, "rates": _rates(book, filed.day), "lists": {}}
    checks = [one for one in kind.get("checks", ()) if value(one["expression"], given) is not True]
    facts = _facts(book, filed, given)
    refusing = table.read(book, facts).refusing
    found = {("/body" + one["pointer"], one["id"]) for one in checks} | {("/type", rule) for rule in refusing}
    return Judgement(frozenset(found), facts)


def _facts(book: Book, filed: Filed, given: Mapping[str, Any]) -> dict[str, Any]:
    kind = book.types[filed.type]
    derived = {name: value(text, given) for name, text in kind.get("facts", {}).items()}
    return {
        **derived,
        "type": filed.type,
        "direction": kind["direction"],
        "document_id": filed.document_id,
        "day": filed.day,
        "owner_organisation_id": filed.owner_id,
        "submitter_organisation_id": filed.submitter_id,
        "owner_attributes": list(filed.owner_attributes),
        "owner_billing_mode": filed.owner_billing_mode,
        "national_value_minor": national_value(book, derived, filed.day),
    }


def national_value(book: Book, derived: Mapping[str, Any], day: str) -> int | None:
    amount, currency = derived.get("amount_minor"), derived.get("currency")
    rate = book.rate(currency, day) if isinstance(currency, str) else None
    if rate is None or not isinstance(amount, int):
        return None
    whole = Decimal(amount) / 10 ** get_currency_precision(str(currency)) * rate
    places = 10 ** get_currency_precision(book.pack["currency"])
    return int((whole * places).quantize(Decimal(1), ROUND_HALF_UP))


def _rates(book: Book, day: str) -> dict[str, float]:
    known = {one["currency"]: book.rate(one["currency"], day) for one in book.rates}
    return {currency: float(rate) for currency, rate in known.items() if rate is not None}
