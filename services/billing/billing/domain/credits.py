"""A credit: what is given back of a charge, once for each policy, never more than was charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from packs.model import Refund

from billing.domain.charges import Charge, Document
from billing.domain.money import Money, half_up


@dataclass(frozen=True)
class Move:
    """A document left a state, by an event of its type."""

    document: Document
    event: str
    from_state: str
    occurred_at: datetime


@dataclass(frozen=True)
class Ground:
    """Why charges of a document are given back; no `tariffs` is all of them."""

    document_id: str
    policy: str
    labels: Mapping[str, str]
    tariffs: tuple[str, ...]
    share: Decimal
    event: str
    occurred_at: datetime

    def concerns(self, charge: Charge) -> bool:
        """What became due after the move is owed all the same."""
        return charge.occurred_at <= self.occurred_at and (not self.tariffs or charge.tariff in self.tariffs)


@dataclass(frozen=True)
class Returned:
    """What was given back of a charge before."""

    net: Money
    vat: Money

    @property
    def gross(self) -> Money:
        return self.net + self.vat


@dataclass(frozen=True)
class Credit:
    id: str
    charge_id: str
    document_id: str
    policy: str
    labels: Mapping[str, str]
    event: str
    net: Money
    vat: Money
    occurred_at: datetime
    recorded_at: datetime

    @property
    def gross(self) -> Money:
        return self.net + self.vat


def ground_of(refund: Refund, move: Move) -> Ground:
    return Ground(
        document_id=move.document.id,
        policy=refund.key,
        labels=refund.labels,
        tariffs=refund.tariffs,
        share=refund.share,
        event=move.event,
        occurred_at=move.occurred_at,
    )


def credit_for(
    charge: Charge, ground: Ground, returned: Returned, credit_id: str, recorded_at: datetime
) -> Credit | None:
    """The ground's share of the whole charge, as far as that much is left of it; None for nothing."""
    wanted = half_up(charge.gross.amount_minor, ground.share)
    given = min(wanted, charge.gross.amount_minor - returned.gross.amount_minor)
    if given <= 0:
        return None
    vat = _vat_within(charge, returned.gross.amount_minor + given) - returned.vat.amount_minor
    return Credit(
        id=credit_id,
        charge_id=charge.id,
        document_id=charge.document_id,
        policy=ground.policy,
        labels=ground.labels,
        event=ground.event,
        net=Money(given - vat, charge.net.currency),
        vat=Money(vat, charge.net.currency),
        occurred_at=ground.occurred_at,
        recorded_at=recorded_at,
    )


def _vat_within(charge: Charge, gross_minor: int) -> int:
    """The tax in so much of the charge, rounded on the sum of all that is given back: the last part leaves no rest."""
    over, under = charge.vat.amount_minor * gross_minor, charge.gross.amount_minor
    return (2 * over + under) // (2 * under)
