"""Money as whole minor units of one currency. A float never becomes money."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

AMOUNT_MINOR_MAX = 10**17
CURRENCY = re.compile(r"[A-Z]{3}")


class MixedCurrencies(ValueError):
    """Two currencies met in one sum."""


@dataclass(frozen=True, slots=True)
class Money:
    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError("money is a whole number of minor units")
        if abs(self.amount_minor) > AMOUNT_MINOR_MAX:
            raise ValueError(f"an amount is at most {AMOUNT_MINOR_MAX} minor units")
        if not CURRENCY.fullmatch(self.currency):
            raise ValueError(f"not an ISO 4217 code: {self.currency!r}")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def times(self, factor: Decimal) -> Money:
        """Rounded once, half away from zero."""
        return Money(half_up(self.amount_minor, factor), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MixedCurrencies(f"{self.currency} and {other.currency}")
        return other.amount_minor


def zero(currency: str) -> Money:
    return Money(0, currency)


def total(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, start=zero(currency))


def half_up(amount_minor: int, factor: Decimal) -> int:
    """Exact whatever the factor's digits: no decimal context takes part."""
    if not isinstance(factor, Decimal):
        raise TypeError("a rate is a Decimal")
    over, under = factor.as_integer_ratio()
    product = amount_minor * over
    rounded = (2 * abs(product) + under) // (2 * under)
    return rounded if product >= 0 else -rounded
