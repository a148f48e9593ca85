"""Versions beyond the first, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.amendments import Amendment, AmendmentState, Change


async def next_version(tx: Tx, document_id: str) -> int:
    """A number is never given twice, whatever became of its version. The document is locked."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select max(version) + 1 from document_versions where document_id = %s", [document_id]
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always answers
    return int(row[0])


async def add(tx: Tx, amendment: Amendment, body: bytes, receipt: bytes) -> None:
    settled = None if amendment.state is AmendmentState.PROPOSED else amendment.proposed_at
    await tx.execute(
        """
        with version as (
            insert into document_versions (document_id, version, body, body_bytes, receipt)
            values (%(document_id)s, %(version)s, %(body)s, %(body_bytes)s, %(receipt)s)
        )
        insert into amendments (
            document_id, version, state, from_state, facts, changes, remarks, proposed_by, proposed_at, decided_at
        )
        values (
            %(document_id)s, %(version)s, %(state)s, %(from_state)s, %(facts)s, %(changes)s, %(remarks)s,
            %(proposed_by)s, %(proposed_at)s, %(decided_at)s
        )
        """,
        {
            "document_id": amendment.document_id,
            "version": amendment.version,
            "body": body.decode(),
            "body_bytes": len(body),
            "receipt": receipt.decode(),
            "state": str(amendment.state),
            "from_state": amendment.from_state,
            "facts": msgspec.json.encode(amendment.facts).decode(),
            "changes": msgspec.json.encode(list(amendment.changes)).decode(),
            "remarks": amendment.remarks,
            "proposed_by": amendment.proposed_by,
            "proposed_at": amendment.proposed_at,
            "decided_at": settled,
        },
    )


async def proposed(tx: Tx, document_id: str) -> Amendment | None:
    """The one that waits, if any."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select document_id::text, version, state, from_state, facts::text, changes::text, remarks, proposed_by,
            proposed_at
        from amendments
        where document_id = %s and state = 'PROPOSED'
        """,
        [document_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    facts, changes = msgspec.json.decode(row[4]), msgspec.json.decode(row[5], type=list[Change])
    return Amendment(row[0], row[1], AmendmentState(row[2]), row[3], facts, changes, *row[6:])


async def settle(tx: Tx, document_id: str, state: AmendmentState, at: datetime) -> None:
    """Ends the one that waits, if any."""
    await tx.execute(
        "update amendments set state = %s, decided_at = %s where document_id = %s and state = 'PROPOSED'",
        [str(state), at, document_id],
    )


async def imputed_value(tx: Tx, document_id: str) -> dict[str, int]:
    """Minor units by currency, reservations included."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select currency, sum(value_minor)
        from imputations
        where document_id = %s and state <> 'CANCELLED'
        group by currency
        """,
        [document_id],
    )
    rows: Sequence[tuple[str, int]] = await cursor.fetchall()
    return {currency: int(total) for currency, total in rows}
