"""What follows a life elsewhere: what its owner is charged, and who is told what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from portolan_cli.reference.book import Book, holds
from portolan_cli.reference.life import Life

CHARGED = "portolan.billing.v1.ChargeRecorded"
Charges = list[tuple[str, int]]
"""Tariff and amount with VAT, in minor units."""


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


def _is_about(named: str, document_type: str) -> bool:
    return named == document_type or (named.endswith(".*") and document_type.startswith(named[:-1]))


def _rounded(amount: Decimal) -> int:
    return int(Decimal(amount).quantize(Decimal(1), ROUND_HALF_UP))


def notices(book: Book, life: Life, charged: Charges, agencies: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """By organisation and rule; `agencies` says which organisation acts for which agency."""
    told: Counter[tuple[str, str]] = Counter()
    for event, fields in [*life.events, *((CHARGED, {}) for _ in charged)]:
        owner = {"owner": life.filed.owner_id, "submitter": life.filed.submitter_id}
        parties = {**owner, "agency": agencies.get(str(fields.get("agency", "")), "")}
        fields = {"type": life.filed.type, "document_type": life.filed.type, **fields}
        for rule in book.notification_rules:
            if rule["event"] == event and "in_app" in rule["channels"] and holds(rule.get("when"), fields):
                told.update((one, str(rule["id"])) for one in {parties[name] for name in rule["recipients"]} if one)
    return told
