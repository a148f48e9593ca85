"""When a title's validity is to be looked at, and which titles are closed for good."""

from __future__ import annotations

from datetime import datetime

from kit.database import Tx
from psycopg.rows import tuple_row


async def due(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Longest passed first. Nobody is locked: whoever comes second finds it done."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text from documents where expiry_due <= %s order by expiry_due limit %s", [now, limit]
    )
    return [row[0] for row in await cursor.fetchall()]


async def look_again(tx: Tx, document_id: str, at: datetime | None) -> None:
    await tx.execute("update documents set expiry_due = %s where document_id = %s", [at, document_id])


async def close(tx: Tx, document_id: str, at: datetime) -> None:
    """From here on the database itself refuses any change of the title."""
    await tx.execute("insert into cleared_titles (document_id, cleared_at) values (%s, %s)", [document_id, at])
