"""What the tariff owes of a document, read from billing's own price book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from packs.amendments import AMENDED
from packs.prices import concerns

from portolan_cli.reconcile.databases import Books


@dataclass(frozen=True, slots=True)
class Item:
    code: str
    document_type: str
    billed_at: str
    net_minor: int
    segments: dict[str, str]

    def gross_minor(self, segment: str, vat_rate: Decimal) -> int:
        net = _rounded(self.net_minor * Decimal(str(self.segments.get(segment, 1))))
        return net + _rounded(net * vat_rate)


@dataclass(frozen=True, slots=True)
class Version:
    name: str
    since: datetime
    until: datetime | None
    vat_rate: Decimal
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Milestone:
    name: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    tariff: str
    milestone: str
    price_version: str
    gross_minor: int


class Tariff:
    def __init__(self, books: Books) -> None:
        query = "select version, lower(effective), upper(effective), vat_rate from price_versions"
        self._versions = [
            Version(str(name), since, until, vat_rate, _items(books, str(name)))
            for name, since, until, vat_rate in books.rows("billing", query)
        ]

    def owed(self, document_type: str, segment: str, promised: str, milestone: Milestone) -> list[Owed]:
        """By the version promised, else by the one of the day; nothing for what is free."""
        version = self._version(promised if milestone.state != AMENDED else "", milestone.at)
        if version is None:
            return []
        found = [
            Owed(item.code, milestone.name, version.name, item.gross_minor(segment, version.vat_rate))
            for item in version.items
            if item.billed_at == milestone.state and concerns(item.document_type, document_type)
        ]
        return [one for one in found if one.gross_minor > 0]

    def _version(self, promised: str, at: datetime) -> Version | None:
        for version in self._versions:
            if version.name == promised or (
                not promised and version.since <= at and (version.until is None or at < version.until)
            ):
                return version
        return None


def _items(books: Books, version: str) -> list[Item]:
    query = "select code, document_type, billed_at, net_minor, segments from tariff_items where version = %s"
    return [Item(*row) for row in books.rows("billing", query, [version])]


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
