"""Grounds and credits; a credit is written with its journal, its entries and its count or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from kit.database import Tx
from packs.model import Refund
from psycopg.rows import dict_row, tuple_row

from billing.domain.charges import Charge
from billing.domain.credits import Credit, Ground, Returned
from billing.domain.ledger import reversal_of
from billing.domain.money import Money


async def hold(tx: Tx, document_id: str) -> None:
    """Whoever charges this document and whoever gives back wait for each other: neither misses the other's."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [document_id])


async def policies(tx: Tx) -> dict[str, tuple[Refund, ...]]:
    """By pack version."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select version, content -> 'refunds' from pack_versions
        order by effective_from, loaded_at
        """
    )
    return {
        version: msgspec.convert(content or [], tuple[Refund, ...], strict=False)
        for version, content in await cursor.fetchall()
    }


async def add_ground(tx: Tx, ground: Ground, recorded_at: Any) -> bool:
    """False when it was heard before."""
    cursor = await tx.execute(
        """
        insert into refund_grounds (document_id, policy, labels, tariffs, share, event, occurred_at, recorded_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(ground.document_id, ground.policy, msgspec.json.encode(ground.labels).decode()),
            *(list(ground.tariffs), ground.share, ground.event, ground.occurred_at, recorded_at),
        ],
    )
    return cursor.rowcount > 0


async def grounds(tx: Tx, document_ids: Collection[str]) -> dict[str, list[Ground]]:
    """By document, in the order in which they came up."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        """
        select document_id, policy, labels, tariffs, share, event, occurred_at
        from refund_grounds
        where document_id = any(%s)
        order by occurred_at, policy
        """,
        [list(document_ids)],
    )
    found: dict[str, list[Ground]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["document_id"], []).append(Ground(**{**row, "tariffs": tuple(row["tariffs"])}))
    return found


async def returned(tx: Tx, charge: Charge) -> Returned:
    """Of this charge, so far."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select net_minor, vat_minor from credited where charge_id = %s for update", [charge.id]
    )
    row = await cursor.fetchone()
    net, vat = row if row else (0, 0)
    return Returned(Money(net, charge.net.currency), Money(vat, charge.net.currency))


RECORD = """
with given as (
    insert into credits (
        id, charge_id, document_id, policy, currency, net_minor, vat_minor, gross_minor, recorded_at
    )
    values (
        %(id)s, %(charge)s, %(document)s, %(policy)s, %(currency)s, %(net)s, %(vat)s, %(gross)s, %(recorded_at)s
    )
    on conflict on constraint one_credit_per_policy do nothing
    returning id
), counted as (
    insert into credited (charge_id, net_charged, vat_charged, net_minor, vat_minor)
    select %(charge)s, 0, 0, %(net)s, %(vat)s from given
    on conflict (charge_id) do update
    set net_minor = credited.net_minor + excluded.net_minor, vat_minor = credited.vat_minor + excluded.vat_minor
), numbered as (
    insert into payer_sequences (organisation_id, last)
    select %(payer)s, 1 from given
    on conflict (organisation_id) do update set last = payer_sequences.last + 1
    returning last
), booked as (
    insert into journals (id, charge_id, credit_id, payer_organisation_id, payer_sequence, lines, booked_at)
    select %(journal)s, %(charge)s, given.id, %(payer)s, last, cardinality(%(accounts)s::text[]), %(recorded_at)s
    from given, numbered
    returning id, payer_sequence
), posted as (
    insert into entries (journal_id, line, account, currency, amount_minor, booked_at)
    select booked.id, line, account, %(currency)s, amount, %(recorded_at)s
    from booked, unnest(%(accounts)s::text[], %(amounts)s::bigint[]) with ordinality as entry (account, amount, line)
)
select payer_sequence from booked
"""


async def record(tx: Tx, credit: Credit, charge: Charge, journal_id: str) -> int | None:
    """Answers the payer's sequence number; None when this policy gave back of this charge before."""
    entries = reversal_of(charge, credit.net, credit.vat)
    parameters: Mapping[str, object] = {
        **{"id": credit.id, "charge": credit.charge_id, "document": credit.document_id, "policy": credit.policy},
        **{"currency": credit.net.currency, "net": credit.net.amount_minor, "vat": credit.vat.amount_minor},
        **{"gross": credit.gross.amount_minor, "recorded_at": credit.recorded_at},
        **{"payer": charge.payer, "journal": journal_id},
        "accounts": [entry.account.code for entry in entries],
        "amounts": [entry.amount.amount_minor for entry in entries],
    }
    cursor = await tx.cursor(row_factory=tuple_row).execute(RECORD, parameters)
    row = await cursor.fetchone()
    return row[0] if row else None


async def credits_of(tx: Tx, charge_ids: Iterable[str]) -> dict[str, list[Credit]]:
    """By charge, in the order in which they were given."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        """
        select id, charge_id, document_id, policy, labels, event, currency, net_minor, vat_minor, occurred_at,
            credits.recorded_at
        from credits join refund_grounds using (document_id, policy)
        where charge_id = any(%s)
        order by id
        """,
        [list(charge_ids)],
    )
    found: dict[str, list[Credit]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["charge_id"], []).append(_credit(row))
    return found


def _credit(row: dict[str, Any]) -> Credit:
    currency = row.pop("currency")
    return Credit(net=Money(row.pop("net_minor"), currency), vat=Money(row.pop("vat_minor"), currency), **row)
