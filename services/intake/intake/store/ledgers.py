"""Titles' quantities: lines, their entries, and the imputations behind them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from intake.domain.imputations import Imputation, ImputationState
from intake.domain.representation import BookedEntry
from intake.domain.titles import Entry, EntryKind, TitleLine
from intake.domain.values import Money

ENTRIES_MAX = 10_000

IMPUTATION = """
    imputation_id::text, document_id::text, line, state, declaration_number, declaration_line, office, registered_on,
    quantity, unit, value_minor, currency, imputed_at, remaining, reserved_fingerprint, reserved_answer,
    consumed_fingerprint, consumed_answer, conditions_met
"""


async def lines(tx: Tx, document_id: str) -> list[TitleLine]:
    cursor = await tx.cursor(row_factory=class_row(TitleLine)).execute(
        """
        select line, hs_code, unit, authorised, tolerance, reserved, consumed, released
        from title_lines
        where document_id = %s
        order by line
        """,
        [document_id],
    )
    return await cursor.fetchall()


async def save_line(tx: Tx, document_id: str, line: TitleLine) -> None:
    await tx.execute(
        """
        update title_lines
        set authorised = %s, reserved = %s, consumed = %s, released = %s
        where document_id = %s and line = %s
        """,
        [line.authorised, line.reserved, line.consumed, line.released, document_id, line.line],
    )


async def book(
    tx: Tx, document_id: str, entries: Sequence[Entry], imputation_id: str | None, actor: str, at: datetime
) -> None:
    await tx.execute(
        """
        insert into title_entries (document_id, line, kind, quantity, imputation_id, actor, at)
        select %s, line, kind, quantity, %s::uuid, %s, %s
        from unnest(%s::int[], %s::text[], %s::numeric[]) with ordinality as entry (line, kind, quantity, place)
        order by place
        """,
        [
            *(document_id, imputation_id, actor, at),
            [entry.line for entry in entries],
            [str(entry.kind) for entry in entries],
            [entry.quantity for entry in entries],
        ],
    )


async def entries(tx: Tx, document_id: str) -> list[BookedEntry]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select line, kind, quantity, at, actor, imputation_id::text
        from title_entries
        where document_id = %s
        order by entry_id
        limit %s
        """,
        [document_id, ENTRIES_MAX],
    )
    return [BookedEntry(row[0], EntryKind(row[1]), *row[2:]) for row in await cursor.fetchall()]


async def imputation_of(tx: Tx, document_id: str, number: str, line: str) -> Imputation | None:
    return await _imputation(
        tx, "document_id = %s and declaration_number = %s and declaration_line = %s", [document_id, number, line]
    )


async def imputation(tx: Tx, document_id: str, imputation_id: str) -> Imputation | None:
    return await _imputation(tx, "document_id = %s and imputation_id = %s", [document_id, imputation_id])


async def _imputation(tx: Tx, which: str, values: Sequence[str]) -> Imputation | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {IMPUTATION} from imputations where {which}",  # noqa: S608
        values,
    )
    row = await cursor.fetchone()
    return _read(row) if row else None


async def save_imputation(tx: Tx, imputation: Imputation) -> None:
    await tx.execute(
        """
        insert into imputations (
            imputation_id, document_id, line, state, declaration_number, declaration_line, office, registered_on,
            quantity, unit, value_minor, currency, imputed_at, remaining, reserved_fingerprint, reserved_answer,
            consumed_fingerprint, consumed_answer, conditions_met
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (imputation_id) do update
        set state = excluded.state, line = excluded.line, office = excluded.office,
            registered_on = excluded.registered_on, quantity = excluded.quantity,
            value_minor = excluded.value_minor, currency = excluded.currency, imputed_at = excluded.imputed_at,
            remaining = excluded.remaining, consumed_fingerprint = excluded.consumed_fingerprint,
            consumed_answer = excluded.consumed_answer, conditions_met = excluded.conditions_met
        """,
        _row(imputation),
    )


def _row(imputation: Imputation) -> list[Any]:
    return [
        *(imputation.id, imputation.document_id, imputation.line, str(imputation.state)),
        *(imputation.declaration_number, imputation.declaration_line, imputation.office, imputation.registered_on),
        *(imputation.quantity, imputation.unit, imputation.value.amount_minor, imputation.value.currency),
        *(imputation.imputed_at, imputation.remaining, imputation.reserved_fingerprint, imputation.reserved_answer),
        *(imputation.consumed_fingerprint, imputation.consumed_answer, list(imputation.conditions_met)),
    ]


async def imputations_of(tx: Tx, document_ids: Collection[str], declaration_number: str) -> list[Imputation]:
    """What one declaration holds, or held, of these titles."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"""
        select {IMPUTATION} from imputations
        where document_id = any(%s::uuid[]) and declaration_number = %s
        order by document_id, line, length(declaration_line), declaration_line
        """,  # noqa: S608
        [list(document_ids), declaration_number],
    )
    return [_read(row) for row in await cursor.fetchall()]


def _read(row: Sequence[Any]) -> Imputation:
    fields: list[Any] = [*row[:3], ImputationState(row[3]), *row[4:10], Money(row[10], row[11]), *row[12:]]
    return Imputation(*fields)
