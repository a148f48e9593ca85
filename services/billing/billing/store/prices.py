"""The price book, and who the pack says we are."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from kit.database import Tx
from packs.model import Identity
from psycopg.rows import dict_row, tuple_row

from billing.domain.money import Money
from billing.domain.prices import PriceBook, PriceVersion, TariffItem


async def latest_identity(tx: Tx) -> Identity | None:
    """The pack in force, or when none is yet, the first to come."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select content -> 'identity' from pack_versions
        order by (effective_from <= current_date) desc, effective_from desc, loaded_at desc
        limit 1
        """
    )
    row = await cursor.fetchone()
    return msgspec.convert(row[0], Identity, strict=False) if row else None


async def lock_price_book(tx: Tx) -> None:
    await tx.execute("lock table price_versions in share row exclusive mode")


async def insert_version(tx: Tx, version: PriceVersion) -> None:
    await tx.execute(
        """
        insert into price_versions (version, effective, currency, vat_rate)
        values (%s, tstzrange(%s, %s), %s, %s)
        """,
        [version.version, version.effective_from, version.effective_to, version.currency, version.vat_rate],
    )
    for item in version.items:
        await _insert_item(tx, version.version, item)


async def _insert_item(tx: Tx, version: str, item: TariffItem) -> None:
    await tx.execute(
        """
        insert into tariff_items (version, code, labels, net_minor, document_type, billed_at, segments)
        values (%s, %s, %s, %s, %s, %s, %s)
        """,
        [
            *(version, item.code, _json(item.labels), item.net.amount_minor, item.document_type, item.billed_at),
            _json({segment: str(factor) for segment, factor in item.segments.items()}),
        ],
    )


async def close_version(tx: Tx, version: str, effective_to: datetime) -> None:
    await tx.execute(
        "update price_versions set effective = tstzrange(lower(effective), %s) where version = %s",
        [effective_to, version],
    )


async def has_charges_from(tx: Tx, version: str, moment: datetime) -> bool:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select exists (select from charges where price_version = %s and occurred_at >= %s)", [version, moment]
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def price_book(tx: Tx) -> PriceBook:
    versions = await tx.cursor(row_factory=dict_row).execute(
        """
        select version, lower(effective) as effective_from, upper(effective) as effective_to, currency, vat_rate
        from price_versions
        order by effective desc
        """
    )
    rows = await versions.fetchall()
    items = await tx.cursor(row_factory=dict_row).execute('select * from tariff_items order by code collate "C"')
    by_version: dict[str, list[dict[str, Any]]] = {}
    for item in await items.fetchall():
        by_version.setdefault(item["version"], []).append(item)
    return PriceBook([_version(row, by_version.get(row["version"], [])) for row in rows])


def _version(row: dict[str, Any], items: list[dict[str, Any]]) -> PriceVersion:
    return PriceVersion(**row, items=[_item(item, row["currency"]) for item in items])


def _item(row: dict[str, Any], currency: str) -> TariffItem:
    return TariffItem(
        code=row["code"],
        labels=row["labels"],
        net=Money(row["net_minor"], currency),
        document_type=row["document_type"],
        billed_at=row["billed_at"],
        segments={segment: Decimal(factor) for segment, factor in row["segments"].items()},
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
