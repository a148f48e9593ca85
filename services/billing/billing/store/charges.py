"""Payers, documents and charges; a charge is written with its journal and entries or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import dict_row, tuple_row

from billing.domain.charges import Charge, Document
from billing.domain.ledger import Entry, entries_of
from billing.domain.money import Money


async def save_payer(tx: Tx, organisation_id: str, billing_mode: str, activated_at: datetime) -> None:
    await tx.execute(
        """
        insert into payers (organisation_id, billing_mode, activated_at)
        values (%s, %s, %s)
        on conflict (organisation_id) do update
        set billing_mode = excluded.billing_mode, activated_at = excluded.activated_at
        where payers.activated_at <= excluded.activated_at
        """,
        [organisation_id, billing_mode, activated_at],
    )


async def billing_mode(tx: Tx, organisation_id: str) -> str | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select billing_mode from payers where organisation_id = %s", [organisation_id]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def save_document(tx: Tx, document: Document) -> None:
    await tx.execute(
        """
        insert into documents (
            document_id, reference, document_type, owner_organisation_id, submitter_organisation_id, billing_mode,
            pack_version, price_version
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (document_id) do nothing
        """,
        [
            *(document.id, document.reference, document.type),
            *(document.owner, document.submitter, document.billing_mode, document.pack_version),
            document.price_version,
        ],
    )


async def document(tx: Tx, document_id: str) -> Document | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select document_id, reference, document_type, owner_organisation_id, submitter_organisation_id, billing_mode,
            pack_version, price_version
        from documents
        where document_id = %s
        """,
        [document_id],
    )
    row = await cursor.fetchone()
    return Document(*row) if row else None


# The document is held first, so that a refund of it and this charge cannot both miss the other.
RECORD = """
with held as materialized (
    select pg_advisory_xact_lock(hashtextextended(%(document_id)s, 0))
), charged as (
    insert into charges (
        id, tariff, document_id, reference, milestone, payer_organisation_id, submitter_organisation_id,
        price_version, segment, multiplier, vat_rate, currency, net_minor, vat_minor, gross_minor,
        occurred_at, recorded_at
    )
    select
        %(id)s, %(tariff)s, %(document_id)s, %(reference)s, %(milestone)s, %(payer)s, %(submitter)s,
        %(price_version)s, %(segment)s, %(multiplier)s, %(vat_rate)s, %(currency)s, %(net)s, %(vat)s, %(gross)s,
        %(occurred_at)s, %(recorded_at)s
    from held
    on conflict on constraint one_charge_per_milestone do nothing
    returning id
), counted as (
    insert into payer_sequences (organisation_id, last)
    select %(payer)s, 1 from charged
    on conflict (organisation_id) do update set last = payer_sequences.last + 1
    returning last
), opened as (
    insert into accounts (code, kind, organisation_id, currency)
    select code, kind, organisation_id, %(currency)s
    from charged, unnest(%(accounts)s::text[], %(kinds)s::text[], %(organisations)s::text[])
        as account (code, kind, organisation_id)
    on conflict do nothing
), booked as (
    insert into journals (id, charge_id, payer_organisation_id, payer_sequence, lines, booked_at)
    select %(journal)s, charged.id, %(payer)s, counted.last, cardinality(%(accounts)s::text[]), %(recorded_at)s
    from charged, counted
    returning id, payer_sequence
), posted as (
    insert into entries (journal_id, line, account, currency, amount_minor, booked_at)
    select booked.id, line, account, %(currency)s, amount, %(recorded_at)s
    from booked, unnest(%(accounts)s::text[], %(amounts)s::bigint[]) with ordinality as entry (account, amount, line)
)
select payer_sequence from booked
"""


async def record(tx: Tx, charge: Charge, journal_id: str) -> int | None:
    """Answers the payer's sequence number; None when this milestone was charged before."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(RECORD, _parameters(charge, journal_id, entries_of(charge)))
    row = await cursor.fetchone()
    return row[0] if row else None


def _parameters(charge: Charge, journal_id: str, entries: Sequence[Entry]) -> dict[str, object]:
    return {
        **{"id": charge.id, "tariff": charge.tariff, "document_id": charge.document_id, "reference": charge.reference},
        **{"milestone": charge.milestone, "payer": charge.payer, "submitter": charge.submitter},
        **{"price_version": charge.price_version, "segment": charge.segment, "multiplier": charge.multiplier},
        **{"vat_rate": charge.vat_rate, "currency": charge.net.currency, "net": charge.net.amount_minor},
        **{"vat": charge.vat.amount_minor, "gross": charge.gross.amount_minor},
        **{"occurred_at": charge.occurred_at, "recorded_at": charge.recorded_at, "journal": journal_id},
        "accounts": [entry.account.code for entry in entries],
        "kinds": [entry.account.kind for entry in entries],
        "organisations": [entry.account.organisation_id for entry in entries],
        "amounts": [entry.amount.amount_minor for entry in entries],
    }


COLUMNS = """
    charges.id, tariff, labels, document_id, reference, milestone, payer_organisation_id, submitter_organisation_id,
    price_version, segment, multiplier, vat_rate, currency, charges.net_minor, vat_minor, occurred_at, recorded_at
"""


async def charges(tx: Tx, document_id: str, before: str | None, limit: int) -> list[Charge]:
    """Newest first."""
    return await _charges(
        tx,
        f"""
        select {COLUMNS}
        from charges join tariff_items on (version, code) = (price_version, tariff)
        where (%(document)s = '' or document_id = %(document)s)
        and (%(before)s::text is null or charges.id < %(before)s)
        order by charges.id desc
        limit %(limit)s
        """,  # noqa: S608
        {"document": document_id, "before": before, "limit": limit},
    )


async def charges_of_document(tx: Tx, document_id: str) -> list[Charge]:
    """Oldest first: a document has as many as its tariff has lines, and an amendment each."""
    return await _charges(
        tx,
        f"""
        select {COLUMNS}
        from charges join tariff_items on (version, code) = (price_version, tariff)
        where document_id = %(document)s
        order by charges.id
        """,  # noqa: S608
        {"document": document_id},
    )


async def charges_of(tx: Tx, organisation_id: str, document_id: str, before: str | None, limit: int) -> list[Charge]:
    """What the organisation pays or has submitted. Two index walks: one `or` over both columns would read far more."""
    return await _charges(
        tx,
        f"""
        with mine as (
            (
                select id from charges
                where payer_organisation_id = %(organisation)s
                and (%(document)s = '' or document_id = %(document)s)
                and (%(before)s::text is null or id < %(before)s)
                order by id desc limit %(limit)s
            )
            union
            (
                select id from charges
                where submitter_organisation_id = %(organisation)s
                and (%(document)s = '' or document_id = %(document)s)
                and (%(before)s::text is null or id < %(before)s)
                order by id desc limit %(limit)s
            )
        )
        select {COLUMNS}
        from mine join charges using (id) join tariff_items on (version, code) = (price_version, tariff)
        order by charges.id desc
        limit %(limit)s
        """,  # noqa: S608
        {"organisation": organisation_id, "document": document_id, "before": before, "limit": limit},
    )


async def _charges(tx: Tx, query: str, parameters: dict[str, object]) -> list[Charge]:
    cursor = await tx.cursor(row_factory=dict_row).execute(query, parameters)
    return [_charge(row) for row in await cursor.fetchall()]


def _charge(row: dict[str, Any]) -> Charge:
    currency = row.pop("currency")
    return Charge(
        payer=row.pop("payer_organisation_id"),
        submitter=row.pop("submitter_organisation_id"),
        net=Money(row.pop("net_minor"), currency),
        vat=Money(row.pop("vat_minor"), currency),
        **row,
    )
