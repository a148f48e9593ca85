"""The settlement ledger of a title: what may be paid of it, what was, and what customs imputed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from kit.errors import Refused
from packs import ExpressionError, expressions
from packs.model import Advance
from packs.model import Settlement as Terms
from packs.titles import share_for

from intake.domain.payments import PaymentKind


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a title's body and its pack admit: `advance` before customs imputes, `payable` at most (None: no bound)."""

    currency: str
    amount_minor: int
    advance_minor: int
    payable_minor: int | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """`imputed_minor` is what customs consumed, in the title's currency."""

    admitted: Admitted
    imputed_minor: int = 0
    paid_minor: int = 0

    @property
    def settleable_minor(self) -> int:
        payable = self.admitted.payable_minor
        return self.imputed_minor if payable is None else min(self.imputed_minor, payable)

    @property
    def ceiling_minor(self) -> int:
        return max(self.settleable_minor, self.admitted.advance_minor)

    @property
    def remaining_minor(self) -> int:
        return max(0, self.ceiling_minor - self.paid_minor)

    def pay(self, kind: PaymentKind, amount_minor: int) -> Settlement:
        """A settlement goes as far as customs imputed, an advance as far as one is admitted. Raises Refused."""
        ceiling = self.ceiling_minor if kind is PaymentKind.ADVANCE else self.settleable_minor
        room = max(0, ceiling - self.paid_minor)
        if amount_minor > room:
            told = {"remaining_minor": str(room), "currency": self.admitted.currency}
            raise Refused("PAYMENT_EXCEEDED", "more than may still be paid of the title", facts=told)
        return replace(self, paid_minor=self.paid_minor + amount_minor)

    def give_back(self, amount_minor: int) -> Settlement:
        return replace(self, paid_minor=self.paid_minor - amount_minor)

    def impute_again(self, imputed_minor: int) -> Settlement:
        """Customs took or gave back. Raises Refused where what is paid would no longer be covered."""
        changed = replace(self, imputed_minor=imputed_minor)
        if self.paid_minor > changed.ceiling_minor:
            told = {"paid_minor": str(self.paid_minor), "currency": self.admitted.currency}
            raise Refused(
                "IMPUTATION_PAID", "what this imputation covers is paid: the bank cancels that first", facts=told
            )
        return changed

    def amend(self, admitted: Admitted, terms: Terms) -> Settlement:
        """An advance once admitted stands as far as the new amount carries it, unless nothing is payable any more.

        Raises Refused below what is paid.
        """
        carried = min(self.admitted.advance_minor, _share_of(terms.advance, admitted.amount_minor))
        kept = 0 if admitted.payable_minor == 0 else carried
        changed = replace(self, admitted=replace(admitted, advance_minor=max(admitted.advance_minor, kept)))
        is_other_money = self.paid_minor and admitted.currency != self.admitted.currency
        if is_other_money or self.paid_minor > min(changed.ceiling_minor, admitted.amount_minor):
            told = {"paid_minor": str(self.paid_minor), "currency": self.admitted.currency}
            raise Refused("BELOW_PAID", "the value cannot fall below what is paid", facts=told)
        return changed

    def refuse_unreconciled(self, terms: Terms) -> None:
        """Raises Refused unless what was paid is covered, or what was owed from abroad has come in."""
        owed = int(self.settleable_minor * (1 - terms.shortfall))
        is_reconciled = self.paid_minor >= owed if terms.direction == "in" else self.paid_minor <= self.settleable_minor
        if not is_reconciled:
            facts = {"paid_minor": self.paid_minor, "imputed_minor": self.imputed_minor}
            told = {name: str(value) for name, value in facts.items()} | {"currency": self.admitted.currency}
            raise Refused("UNRECONCILED", "payments and imputations do not agree", facts=told)


def admitted(terms: Terms, facts: Mapping[str, Any], hs_codes: Sequence[str]) -> Admitted | None:
    """None for what has no amount; nothing may be paid of what is settled without payment."""
    amount, currency = facts.get("amount_minor"), facts.get("currency")
    if not isinstance(amount, int) or not isinstance(currency, str):
        return None
    if is_exempt(terms, facts):
        return Admitted(currency, amount, advance_minor=0, payable_minor=0)
    advance = _advance(terms.advance, amount, facts.get("national_value_minor"), hs_codes)
    return Admitted(currency, amount, advance, _payable(terms, amount, hs_codes))


def is_exempt(terms: Terms, facts: Mapping[str, Any]) -> bool:
    try:
        return terms.exempt is not None and expressions.compile(terms.exempt).holds(facts)
    except ExpressionError:
        return False


def _advance(advance: Advance | None, amount: int, national: Any, hs_codes: Sequence[str]) -> int:
    """The limit is in the pack's currency: the title's own value in it says what that is in the title's."""
    share = _share_of(advance, amount)
    most = _limit(advance, hs_codes) if advance is not None else None
    if most is None:
        return share
    if not isinstance(national, int) or national <= 0:
        return 0
    return min(share, amount * most // national)


def _share_of(advance: Advance | None, amount: int) -> int:
    share = advance.share if advance is not None else Decimal(0)
    return int((amount * share).to_integral_value(ROUND_FLOOR))


def _limit(advance: Advance, hs_codes: Sequence[str]) -> int | None:
    limits = [one.max_minor for one in advance.higher if all(code.startswith(one.hs) for code in hs_codes)]
    return advance.max_minor if advance.max_minor is None else max([advance.max_minor, *limits])


def _payable(terms: Terms, amount: int, hs_codes: Sequence[str]) -> int | None:
    """Bounded only where every line is of goods that have a tolerance."""
    shares = [share_for(terms.tolerance, code) for code in hs_codes]
    known = [share for share in shares if share is not None]
    if not known or len(known) < len(shares):
        return None
    return int((amount * (1 + max(known))).to_integral_value(ROUND_FLOOR))
