"""What was paid of titles: the balance, its entries, and the payments behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from intake.domain.payments import Payment, PaymentEntry, PaymentKind, PaymentState
from intake.domain.settlements import Admitted, Settlement
from intake.domain.values import Money

PAYMENTS_MAX = 10_000

PAYMENT = """
    payment_id::text, document_id::text, payment_number, kind, state, paid_on, amount_minor::bigint, currency, agency,
    recorded_at, remaining_minor::bigint, fingerprint, answer
"""


async def settlement(tx: Tx, document_id: str) -> Settlement | None:
    """None until something was paid."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select currency, amount_minor, advance_minor, payable_minor, imputed_minor, paid_minor
        from title_settlements
        where document_id = %s
        """,
        [document_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    amount, advance, payable, imputed, paid = (None if figure is None else int(figure) for figure in row[1:])
    return Settlement(Admitted(row[0], amount or 0, advance or 0, payable), imputed or 0, paid or 0)


async def save(tx: Tx, document_id: str, settlement: Settlement) -> None:
    await tx.execute(
        """
        insert into title_settlements (
            document_id, currency, amount_minor, advance_minor, payable_minor, imputed_minor, paid_minor
        )
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (document_id) do update
        set currency = excluded.currency, amount_minor = excluded.amount_minor, advance_minor = excluded.advance_minor,
            payable_minor = excluded.payable_minor, imputed_minor = excluded.imputed_minor,
            paid_minor = excluded.paid_minor
        """,
        [
            *(document_id, settlement.admitted.currency, settlement.admitted.amount_minor),
            *(settlement.admitted.advance_minor, settlement.admitted.payable_minor),
            *(settlement.imputed_minor, settlement.paid_minor),
        ],
    )


async def imputed_minor(tx: Tx, document_id: str, currency: str) -> int:
    """What customs consumed of the title, in this currency; reservations are not yet owed."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select coalesce(sum(value_minor), 0)
        from imputations
        where document_id = %s and state = 'CONSUMED' and currency = %s
        """,
        [document_id, currency],
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def payment_numbered(tx: Tx, document_id: str, number: str) -> Payment | None:
    return await _payment(tx, "document_id = %s and payment_number = %s", [document_id, number])


async def payment(tx: Tx, document_id: str, payment_id: str) -> Payment | None:
    return await _payment(tx, "document_id = %s and payment_id = %s", [document_id, payment_id])


async def _payment(tx: Tx, which: str, values: Sequence[str]) -> Payment | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {PAYMENT} from payments where {which}",  # noqa: S608
        values,
    )
    row = await cursor.fetchone()
    return _read(row) if row else None


async def payments(tx: Tx, document_id: str) -> list[Payment]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {PAYMENT} from payments where document_id = %s order by recorded_at, payment_id limit %s",  # noqa: S608
        [document_id, PAYMENTS_MAX],
    )
    return [_read(row) for row in await cursor.fetchall()]


def _read(row: Sequence[Any]) -> Payment:
    fields: list[Any] = [*row[:3], PaymentKind(row[3]), PaymentState(row[4]), row[5], Money(row[6], row[7]), *row[8:]]
    return Payment(*fields)


async def save_payment(tx: Tx, payment: Payment) -> None:
    await tx.execute(
        """
        insert into payments (
            payment_id, document_id, payment_number, kind, state, paid_on, amount_minor, currency, agency, recorded_at,
            remaining_minor, fingerprint, answer
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (payment_id) do update
        set state = excluded.state, remaining_minor = excluded.remaining_minor
        """,
        [
            *(payment.id, payment.document_id, payment.payment_number, str(payment.kind), str(payment.state)),
            *(payment.paid_on, payment.amount.amount_minor, payment.amount.currency, payment.agency),
            *(payment.recorded_at, payment.remaining_minor, payment.fingerprint, payment.answer),
        ],
    )


async def book(tx: Tx, payment: Payment, kind: str, actor: str, at: datetime) -> None:
    await tx.execute(
        """
        insert into settlement_entries (document_id, kind, amount_minor, payment_id, actor, at)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [payment.document_id, kind, payment.amount.amount_minor, payment.id, actor, at],
    )


async def entries(tx: Tx, document_id: str) -> list[PaymentEntry]:
    cursor = await tx.cursor(row_factory=class_row(PaymentEntry)).execute(
        """
        select kind, amount_minor::bigint as amount_minor, payment_id::text as payment_id, actor, at
        from settlement_entries
        where document_id = %s
        order by entry_id
        limit %s
        """,
        [document_id, PAYMENTS_MAX],
    )
    return await cursor.fetchall()
