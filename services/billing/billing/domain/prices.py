"""The price book: versions that follow each other without overlap, each good for the time it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from kit.errors import Invalid, Unavailable
from packs.amendments import AMENDED
from packs.prices import concerns

from billing.domain.money import Money

UNCHANGED = Decimal(1)
FRACTION_MAX = Decimal(1)


@dataclass(frozen=True)
class Price:
    """What one tariff item costs one payer; `net` + `vat` is what is owed, to the minor unit."""

    tariff: str
    labels: Mapping[str, str]
    milestone: str
    version: str
    segment: str
    multiplier: Decimal
    vat_rate: Decimal
    net: Money
    vat: Money

    @property
    def gross(self) -> Money:
        return self.net + self.vat


@dataclass(frozen=True)
class TariffItem:
    code: str
    labels: Mapping[str, str]
    net: Money
    document_type: str
    billed_at: str
    segments: Mapping[str, Decimal]

    def is_due(self, document_type: str, milestone: str) -> bool:
        return self.billed_at == milestone and concerns(self.document_type, document_type)


@dataclass(frozen=True)
class PriceVersion:
    """Good from `effective_from` until just before `effective_to`."""

    version: str
    effective_from: datetime
    effective_to: datetime | None
    currency: str
    vat_rate: Decimal
    items: Sequence[TariffItem]

    def covers(self, moment: datetime) -> bool:
        return self.effective_from <= moment and (self.effective_to is None or moment < self.effective_to)

    def price(self, item: TariffItem, segment: str) -> Price:
        multiplier = item.segments.get(segment, UNCHANGED)
        net = item.net.times(multiplier)
        return Price(
            tariff=item.code,
            labels=item.labels,
            milestone=item.billed_at,
            version=self.version,
            segment=segment,
            multiplier=multiplier,
            vat_rate=self.vat_rate,
            net=net,
            vat=net.times(self.vat_rate),
        )


@dataclass(frozen=True)
class PriceBook:
    versions: Sequence[PriceVersion] = ()

    @cached_property
    def billed(self) -> frozenset[tuple[str, str]]:
        """Every (document type, state) that some version bills."""
        return frozenset(
            (item.document_type, item.billed_at)
            for version in self.versions
            for item in version.items
            if item.document_type
        )

    def at(self, moment: datetime) -> PriceVersion:
        """Raises Unavailable when no version covers the moment: what cannot be priced waits, it is never free."""
        for version in self.versions:
            if version.covers(moment):
                return version
        raise Unavailable("NO_PRICE_VERSION", f"no price version covers {moment.isoformat()}")

    def named(self, name: str) -> PriceVersion:
        """Raises Unavailable for a version that no pack has brought yet."""
        for version in self.versions:
            if version.version == name:
                return version
        raise Unavailable("NO_PRICE_VERSION", f"no pack has brought the price version {name} yet")

    def bills(self, document_type: str, state: str) -> bool:
        """Raises Unavailable before any pack was loaded: not knowing prices is not knowing that something is free."""
        if not self.versions:
            raise Unavailable("NO_PRICE_VERSION", "no price book was loaded yet")
        return any(concerns(named, document_type) for named, milestone in self.billed if milestone == state)

    def due(self, document_type: str, state: str, segment: str, moment: datetime, promised: str = "") -> list[Price]:
        """What reaching this state costs at that moment, or by the version promised; empty for what is free."""
        if not self.bills(document_type, state):
            return []
        version = self.named(promised) if promised and state != AMENDED else self.at(moment)
        prices = [version.price(item, segment) for item in version.items if item.is_due(document_type, state)]
        return [price for price in prices if price.gross.amount_minor > 0]

    def quote(self, document_type: str, segment: str, moment: datetime, promised: str = "") -> list[Price]:
        """Everything a document of this type may cost on its way; amendments are not on it."""
        version = self.named(promised) if promised else self.at(moment)
        on_its_way = (item for item in version.items if item.billed_at != AMENDED)
        return [version.price(item, segment) for item in on_its_way if concerns(item.document_type, document_type)]


def refuse_overlaps_and_holes(versions: Sequence[PriceVersion]) -> None:
    """Raises Invalid unless each version ends exactly where the next begins."""
    ordered = sorted(versions, key=lambda version: version.effective_from)
    for earlier, later in pairwise(ordered):
        if earlier.effective_to != later.effective_from:
            raise Invalid("PRICE_VERSIONS_DO_NOT_MEET", f"{earlier.version} does not end where {later.version} begins")


def refuse_absurd_rates(version: PriceVersion) -> None:
    if not 0 <= version.vat_rate <= FRACTION_MAX:
        raise Invalid("PRICE_VERSION_ABSURD", f"{version.version}: the VAT rate is a fraction of one")
    for item in version.items:
        if item.net.amount_minor < 0 or any(factor < 0 for factor in item.segments.values()):
            raise Invalid("PRICE_VERSION_ABSURD", f"{version.version}: {item.code} has a negative price")
