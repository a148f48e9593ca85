"""What follows a life elsewhere: what its owner is charged, and who is told what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import product

from portolan_cli.reference.book import Book, Entry, holds
from portolan_cli.reference.life import Life

CHARGED, CREDITED = "portolan.billing.v1.ChargeRecorded", "portolan.billing.v1.CreditNoted"
Charges = list[tuple[str, int]]
"""Tariff and amount with VAT, in minor units."""
Credits = list[tuple[str, str, int]]
"""Tariff, policy and amount with VAT, in minor units."""


def charges(book: Book, life: Life) -> Charges:
    """Each line of the tariff once for each milestone, be it reached twice."""
    version = book.tariff(life.filed.day)
    found: Charges = []
    for item in version["items"]:
        for milestone, _ in sorted(set(life.milestones)):
            if item.get("billed_at") == milestone and _is_about(str(item.get("document_type") or ""), life.filed.type):
                factor = Decimal(str(item.get("segments", {}).get(life.filed.owner_billing_mode, 1)))
                net = _rounded(item["net_minor"] * factor)
                found.append((str(item["code"]), net + _rounded(net * Decimal(str(version["vat_rate"])))))
    return sorted(charge for charge in found if charge[1] > 0)


def credits(book: Book, life: Life, charged: Charges) -> Credits:
    """Each policy once for each charge, as long as something of it is left. An end is the last move of a life."""
    found: Credits = []
    left = [amount for _, amount in charged]
    for refund, (number, (tariff, amount)) in product(_refunds(book, life), enumerate(charged)):
        given = min(left[number], _rounded(amount * Decimal(str(refund["share"]))))
        if given > 0 and tariff in (refund.get("tariffs") or [tariff]):
            found.append((tariff, str(refund["key"]), given))
            left[number] -= given
    return sorted(found)


def _refunds(book: Book, life: Life) -> list[Entry]:
    kinds = (one for one in book.refunds if any(_is_about(name, life.filed.type) for name in one["document_types"]))
    meant = [(one, {(state, str(one["event"])) for state in one.get("from_states") or [""]}) for one in kinds]
    made = {move for before, event, _ in life.moves for move in ((before, event), ("", event))}
    return [one for one, moves in meant if moves & made]


def _is_about(named: str, document_type: str) -> bool:
    return named == document_type or (named.endswith(".*") and document_type.startswith(named[:-1]))


def _rounded(amount: Decimal) -> int:
    return int(Decimal(amount).quantize(Decimal(1), ROUND_HALF_UP))


def notices(
    book: Book, life: Life, charged: Charges, agencies: Mapping[str, str], credited: Sequence[tuple[str, str, int]] = ()
) -> Counter[tuple[str, str]]:
    """By organisation and rule; `agencies` says which organisation acts for which agency."""
    told: Counter[tuple[str, str]] = Counter()
    for event, fields in [*life.events, *((CHARGED, {}) for _ in charged), *((CREDITED, {}) for _ in credited)]:
        asked = fields.get("agencies") or [str(fields.get("agency", ""))]
        parties = {
            "owner": {life.filed.owner_id},
            "submitter": {life.filed.submitter_id},
            "agency": {agencies[agency] for agency in asked if agency in agencies},
        }
        fields = {"type": life.filed.type, "document_type": life.filed.type, **fields}
        for rule in book.notification_rules:
            if rule["event"] == event and "in_app" in rule["channels"] and holds(rule.get("when"), fields):
                told.update((one, str(rule["id"])) for one in _all(parties, rule["recipients"]))
    return told


def _all(parties: Mapping[str, set[str]], named: Sequence[str]) -> set[str]:
    """Whoever is owner and submitter in one is told once."""
    return set().union(*(parties.get(name, set()) for name in named))
