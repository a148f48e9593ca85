"""The price book: published by packs, closed by later ones, read again whenever one was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import msgspec
from kit import pack_versions
from kit.database import Database, Tx
from kit.errors import Conflict
from packs.model import Pack, TariffVersion

from billing.actions.crediting import RefundBook
from billing.domain.money import Money
from billing.domain.prices import (
    PriceBook,
    PriceVersion,
    TariffItem,
    refuse_absurd_rates,
    refuse_overlaps_and_holes,
)
from billing.store import credits as credit_store
from billing.store import prices as price_store


async def load_pack(db: Database, pack: Pack) -> None:
    """Publishes the pack's prices. Again is nothing; the same pack version with other content is refused."""
    refunds = {"refunds": pack.refunds} if pack.refunds else {}
    part = {"identity": pack.identity, "tariff": pack.tariff, **refunds}
    content = msgspec.json.encode(part, order="deterministic").decode()
    async with db.transaction() as tx:
        await price_store.lock_price_book(tx)
        if await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, content):
            await _publish(tx, [_price_version(version, pack.timezone) for version in pack.tariff])


async def _publish(tx: Tx, versions: Sequence[PriceVersion]) -> None:
    published = {version.version: version for version in (await price_store.price_book(tx)).versions}
    for version in versions:
        refuse_absurd_rates(version)
    refuse_overlaps_and_holes([*{**published, **{version.version: version for version in versions}}.values()])
    for version in sorted(versions, key=lambda version: version.effective_from):
        if version.version not in published:
            await price_store.insert_version(tx, version)
        elif published[version.version] != version:
            await _close(tx, published[version.version], version)


async def _close(tx: Tx, published: PriceVersion, closed: PriceVersion) -> None:
    """The only change a published version knows: an end, after the last thing priced by it."""
    end = closed.effective_to
    if end is None or published.effective_to is not None or replace(published, effective_to=end) != closed:
        raise Conflict("PRICE_VERSION_CHANGED", f"price version {closed.version} was published otherwise")
    if await price_store.has_charges_from(tx, closed.version, end):
        raise Conflict("PRICE_VERSION_CHANGED", f"price version {closed.version} has charges after its new end")
    await price_store.close_version(tx, closed.version, end)


def _price_version(version: TariffVersion, timezone: str) -> PriceVersion:
    return PriceVersion(
        version=version.version,
        effective_from=midnight(version.effective_from, timezone),
        effective_to=midnight(version.effective_to, timezone) if version.effective_to else None,
        currency=version.currency,
        vat_rate=version.vat_rate,
        items=[
            TariffItem(
                code=item.code,
                labels=item.labels,
                net=Money(item.net_minor, version.currency),
                document_type=item.document_type or "",
                billed_at=item.billed_at or "",
                segments=item.segments,
            )
            for item in sorted(version.items, key=lambda item: item.code)
        ],
    )


def midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(timezone))


@dataclass
class PriceDesk:
    """Prices and refunds in force, read again whenever a pack was loaded since."""

    book: PriceBook = field(default_factory=PriceBook)
    refunds: RefundBook = field(default_factory=RefundBook)
    packs_seen: int = 0

    async def refresh(self, db: Database) -> PriceBook:
        async with db.connection() as connection:
            packs = await pack_versions.number_kept(connection)
            if packs != self.packs_seen:
                self.refunds = RefundBook(await credit_store.policies(connection))
                self.book, self.packs_seen = await price_store.price_book(connection), packs
        return self.book
