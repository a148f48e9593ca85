"""Quantities, money and text as callers may write them: exact, positive, bounded."""

import re
from dataclasses import dataclass
from decimal import Decimal

QUANTITY_TEXT = re.compile(r"(0|[1-9][0-9]{0,13})(\.[0-9]{1,6})?")
TEXT_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Quantity:
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Money:
    amount_minor: int
    currency: str


def positive_decimal(text: str) -> Decimal | None:
    """At most fourteen digits before and six after the point; None when it is not that, or zero."""
    if not QUANTITY_TEXT.fullmatch(text):
        return None
    value = Decimal(text)
    return value if value > 0 else None


def decimal_text(value: Decimal) -> str:
    """`1250.500000` is written 1250.5, zero is written 0."""
    return format(value.normalize(), "f") if value else "0"


def is_plain_text(text: str, chars_max: int = TEXT_CHARS_MAX) -> bool:
    """Storable and of sane length: no NUL, no lone surrogate."""
    return len(text) <= chars_max and "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
