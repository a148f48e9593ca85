"""Questions to the ledger. It is written only with a charge or a credit."""

from __future__ import annotations

from datetime import datetime

from kit.database import Tx
from psycopg.rows import dict_row, tuple_row

from billing.domain.ledger import Account, LedgerCheck, Posting
from billing.domain.money import Money


async def hold_still(tx: Tx) -> None:
    """One snapshot for all that follows, so that balances and lines agree."""
    await tx.execute("set transaction isolation level repeatable read, read only")


async def balance_before(tx: Tx, account: Account, moment: datetime) -> Money:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select coalesce(sum(amount_minor), 0)::bigint from entries where account = %s and booked_at < %s",
        [account.code, moment],
    )
    row = await cursor.fetchone()
    return Money(row[0] if row else 0, account.currency)


async def latest_postings(tx: Tx, account: Account, period: tuple[datetime, datetime], limit: int) -> list[Posting]:
    """The period's last `limit` postings, oldest of them first."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        """
        select entries.booked_at, journal_id, journals.charge_id, coalesce(credit_id, '') as credit_id, reference,
            coalesce(refund_grounds.labels, tariff_items.labels) as labels, amount_minor
        from entries
        join journals on journals.id = journal_id
        join charges on charges.id = journals.charge_id
        join tariff_items on (version, code) = (price_version, tariff)
        left join credits on credits.id = credit_id
        left join refund_grounds on (refund_grounds.document_id, refund_grounds.policy)
            = (credits.document_id, credits.policy)
        where account = %s and entries.booked_at >= %s and entries.booked_at < %s
        order by entries.booked_at desc, journal_id desc
        limit %s
        """,
        [account.code, *period, limit],
    )
    rows = reversed(await cursor.fetchall())
    return [Posting(amount=Money(row.pop("amount_minor"), account.currency), **row) for row in rows]


async def check(tx: Tx) -> LedgerCheck:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select
            (select count(*) from journals),
            (select count(*) from entries),
            (select coalesce(sum(amount_minor), 0) from entries)::bigint,
            (
                select count(*) from journals
                where lines <> (select count(*) from entries where journal_id = journals.id)
                or exists (
                    select from entries where journal_id = journals.id group by currency having sum(amount_minor) <> 0
                )
            ),
            (select count(*) from charges where not exists (select from journals where charge_id = charges.id))
        """
    )
    row = await cursor.fetchone()
    return LedgerCheck(*row) if row else LedgerCheck(0, 0, 0, 0, 0)
