"""A charge: what one payer owes for one milestone of one document, once and for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.domain.money import Money
from billing.domain.prices import Price


@dataclass(frozen=True)
class Document:
    """What billing must remember of a document until its last milestone."""

    id: str
    reference: str
    type: str
    owner: str
    submitter: str
    billing_mode: str
    pack_version: str = ""
    price_version: str = ""


@dataclass(frozen=True)
class Milestone:
    """A document reached a state at a time. `occurrence` tells apart what may be reached more than once."""

    document: Document
    state: str
    occurred_at: datetime
    occurrence: str = ""

    @property
    def name(self) -> str:
        return f"{self.state}/{self.occurrence}" if self.occurrence else self.state


@dataclass(frozen=True)
class Charge:
    """`net` + `vat` = `gross`; the multiplier and the version say how it was reached."""

    id: str
    tariff: str
    labels: Mapping[str, str]
    document_id: str
    reference: str
    milestone: str
    payer: str
    submitter: str
    price_version: str
    segment: str
    multiplier: Decimal
    vat_rate: Decimal
    net: Money
    vat: Money
    occurred_at: datetime
    recorded_at: datetime | None

    @property
    def gross(self) -> Money:
        return self.net + self.vat


def charge_for(price: Price, milestone: Milestone, charge_id: str, recorded_at: datetime) -> Charge:
    return Charge(
        id=charge_id,
        tariff=price.tariff,
        labels=price.labels,
        document_id=milestone.document.id,
        reference=milestone.document.reference,
        milestone=milestone.name,
        payer=milestone.document.owner,
        submitter=milestone.document.submitter,
        price_version=price.version,
        segment=price.segment,
        multiplier=price.multiplier,
        vat_rate=price.vat_rate,
        net=price.net,
        vat=price.vat,
        occurred_at=milestone.occurred_at,
        recorded_at=recorded_at,
    )


def quoted(price: Price, payer: str, moment: datetime) -> Charge:
    """A charge that does not exist: no id, no document, never recorded."""
    return Charge(
        id="",
        tariff=price.tariff,
        labels=price.labels,
        document_id="",
        reference="",
        milestone=price.milestone,
        payer=payer,
        submitter="",
        price_version=price.version,
        segment=price.segment,
        multiplier=price.multiplier,
        vat_rate=price.vat_rate,
        net=price.net,
        vat=price.vat,
        occurred_at=moment,
        recorded_at=None,
    )
