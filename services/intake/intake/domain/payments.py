"""A payment of a title, as its bank records it: once for each number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from importlib import resources
from typing import Any

import msgspec
from kit import strict_json
from kit.errors import Invalid

from intake.domain.canonical import canonical
from intake.domain.imputations import CLOCK_SKEW, EARLIEST
from intake.domain.shape import Members, Shape
from intake.domain.values import Money
from intake.domain.wording import violation

REQUEST_BYTES_MAX = 16 * 1024

SHAPE = Shape(msgspec.json.decode(resources.files("intake.domain").joinpath("payment.schema.json").read_bytes()))


class PaymentKind(StrEnum):
    ADVANCE = "ADVANCE"
    SETTLEMENT = "SETTLEMENT"


class PaymentState(StrEnum):
    RECORDED = "RECORDED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """What the bank says it paid, or received."""

    payment_number: str
    paid_on: date
    kind: PaymentKind
    amount: Money

    @property
    def fingerprint(self) -> bytes:
        content = [self.payment_number, self.paid_on.isoformat(), self.kind, self.amount.amount_minor]
        return hashlib.sha256(canonical([*content, self.amount.currency])).digest()

    def refuse_other_currency(self, currency: str, language: str) -> None:
        """Raises Invalid."""
        if self.amount.currency != currency:
            fault = violation("/amount/currency", "WRONG_CURRENCY", language, currency=currency)
            raise Invalid("INVALID_DOCUMENT", violations=[fault], facts={"currency": currency})


@dataclass(frozen=True, slots=True)
class Payment:
    """`remaining_minor` is what could still be paid once it was recorded, or cancelled."""

    id: str
    document_id: str
    payment_number: str
    kind: PaymentKind
    state: PaymentState
    paid_on: date
    amount: Money
    agency: str
    recorded_at: datetime
    remaining_minor: int
    fingerprint: bytes
    answer: str = ""


@dataclass(frozen=True, slots=True)
class PaymentEntry:
    """`kind` is that of the payment, or CANCELLED where it was taken back."""

    kind: str
    amount_minor: int
    payment_id: str
    actor: str
    at: datetime


def order(request: bytes, members: Members, language: str, today: date) -> Order:
    """Raises TooLarge, Malformed, Invalid."""
    asked = strict_json.bounded_object(request, REQUEST_BYTES_MAX, "a payment")
    faults = SHAPE.violations(asked, members, language)
    latest = today + CLOCK_SKEW
    if not faults and not EARLIEST <= date.fromisoformat(asked["paid_on"]) <= latest:
        bounds = {"earliest": EARLIEST.isoformat(), "latest": latest.isoformat()}
        faults = [violation("/paid_on", "DATE_OUT_OF_RANGE", language, **bounds)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    return _order(asked)


def _order(asked: dict[str, Any]) -> Order:
    amount = Money(int(asked["amount"]["amount_minor"]), asked["amount"]["currency"])
    return Order(asked["payment_number"], date.fromisoformat(asked["paid_on"]), PaymentKind(asked["kind"]), amount)
