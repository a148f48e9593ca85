"""The public JSON of a title's payments and of the account they make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from kit import wire

from intake.domain.documents import Document
from intake.domain.payments import Payment, PaymentEntry
from intake.domain.settlements import Settlement


def payment_json(payment: Payment) -> bytes:
    return msgspec.json.encode(
        {
            "id": payment.id,
            "document_id": payment.document_id,
            "state": payment.state,
            "payment_number": payment.payment_number,
            "kind": payment.kind,
            "paid_on": payment.paid_on.isoformat(),
            "amount": _money(payment.amount.amount_minor, payment.amount.currency),
            "agency": payment.agency,
            "recorded_at": wire.rfc3339(payment.recorded_at),
            "remaining": _money(payment.remaining_minor, payment.amount.currency),
        }
    )


def settlement_json(
    document: Document,
    direction: str,
    settlement: Settlement,
    payments: Iterable[Payment],
    entries: Iterable[PaymentEntry],
) -> bytes:
    currency = settlement.admitted.currency
    figures = {
        "amount": settlement.admitted.amount_minor,
        "imputed": settlement.imputed_minor,
        "advance_admitted": settlement.admitted.advance_minor,
        "paid": settlement.paid_minor,
        "remaining": settlement.remaining_minor,
    }
    return msgspec.json.encode(
        {
            "document_id": document.id,
            "direction": direction,
            **{name: _money(minor, currency) for name, minor in figures.items()},
            "payments": [msgspec.Raw(payment_json(payment)) for payment in payments],
            "entries": [_payment_entry(entry, currency) for entry in entries],
        }
    )


def _payment_entry(entry: PaymentEntry, currency: str) -> dict[str, Any]:
    return {
        "at": wire.rfc3339(entry.at),
        "kind": entry.kind,
        "amount": _money(entry.amount_minor, currency),
        "payment_id": entry.payment_id,
        "actor": entry.actor or None,
    }


def _money(amount_minor: int, currency: str) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": currency}
