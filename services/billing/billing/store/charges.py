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


async def save_documents(tx: Tx, documents: Sequence[Document]) -> None:
    if not documents:
        return
    rows = [
        (
            *(one.id, one.reference, one.type, one.owner, one.submitter, one.billing_mode),
            *(one.pack_version, one.price_version),
        )
        for one in sorted(documents, key=lambda one: one.id)
    ]
    await tx.execute(
        """
        insert into documents (
            document_id, reference, document_type, owner_organisation_id, submitter_organisation_id, billing_mode,
            pack_version, price_version
        )
        select * from unnest(
            %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]
        )
        on conflict (document_id) do nothing
        """,
        [list(column) for column in zip(*rows, strict=True)],
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


# The documents are held first, so that a refund of one and a charge of it cannot both miss the other.
RECORD = """
with asked as materialized (
    select *
    from unnest(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::numeric[], %s::numeric[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],
        %s::timestamptz[], %s::text[], %s::int[]
    ) with ordinality as asked (
        id, tariff, document_id, reference, milestone, payer, submitter, price_version, segment,
        multiplier, vat_rate, currency, net, vat, gross, occurred_at, recorded_at, journal_id, lines, place
    )
), entry as materialized (
    select *
    from unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        as entry (charge_id, line, account, kind, organisation_id, amount)
), held as materialized (
    select count(pg_advisory_xact_lock(hashtextextended(document_id, 0)))
    from (select distinct document_id from asked order by document_id) as documents
), charged as (
    insert into charges (
        id, tariff, document_id, reference, milestone, payer_organisation_id, submitter_organisation_id,
        price_version, segment, multiplier, vat_rate, currency, net_minor, vat_minor, gross_minor,
        occurred_at, recorded_at
    )
    select
        id, tariff, document_id, reference, milestone, payer, submitter,
        price_version, segment, multiplier, vat_rate, currency, net, vat, gross,
        occurred_at, recorded_at
    from asked, held
    order by place
    on conflict on constraint one_charge_per_milestone do nothing
    returning id
), numbered as (
    select
        asked.*,
        row_number() over (partition by payer order by place) as nth,
        count(*) over (partition by payer) as of_payer
    from asked join charged using (id)
), counted as (
    insert into payer_sequences (organisation_id, last)
    select payer, count(*) from numbered group by payer order by payer
    on conflict (organisation_id) do update set last = payer_sequences.last + excluded.last
    returning organisation_id, last
), opened as (
    insert into accounts (code, kind, organisation_id, currency)
    select distinct account, kind, organisation_id, currency from entry join numbered on numbered.id = charge_id
    order by account
    on conflict do nothing
), booked as (
    insert into journals (id, charge_id, payer_organisation_id, payer_sequence, lines, booked_at)
    select journal_id, id, payer, last - of_payer + nth, lines, recorded_at
    from numbered join counted on counted.organisation_id = payer
    returning charge_id, payer_sequence
), posted as (
    insert into entries (journal_id, line, account, currency, amount_minor, booked_at)
    select journal_id, line, account, currency, amount, recorded_at from entry join numbered on numbered.id = charge_id
)
select charge_id, payer_sequence from booked
"""


async def record(tx: Tx, charges: Sequence[tuple[Charge, str]]) -> dict[str, int]:
    """Each with its journal's id. Answers the payer's sequence numbers by charge, of what was not charged before."""
    if not charges:
        return {}
    booked = [(charge, journal_id, entries_of(charge)) for charge, journal_id in charges]
    rows = [_row(charge, journal_id, len(entries)) for charge, journal_id, entries in booked]
    lines = [
        (charge.id, line, *_entry(entry)) for charge, _, entries in booked for line, entry in enumerate(entries, 1)
    ]
    columns = [list(column) for table in (rows, lines) for column in zip(*table, strict=True)]
    cursor = await tx.cursor(row_factory=tuple_row).execute(RECORD, columns)
    return dict(await cursor.fetchall())


def _row(charge: Charge, journal_id: str, lines: int) -> tuple[object, ...]:
    return (
        *(charge.id, charge.tariff, charge.document_id, charge.reference, charge.milestone, charge.payer),
        *(charge.submitter, charge.price_version, charge.segment, charge.multiplier, charge.vat_rate),
        *(charge.net.currency, charge.net.amount_minor, charge.vat.amount_minor, charge.gross.amount_minor),
        *(charge.occurred_at, charge.recorded_at, journal_id, lines),
    )


def _entry(entry: Entry) -> tuple[str, str, str, int]:
    account = entry.account
    return account.code, account.kind, account.organisation_id, entry.amount.amount_minor


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
