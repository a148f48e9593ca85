"""Remember in the effect's own transaction that an event had its effect."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import tuple_row

from kit.database import Tx


async def once(tx: Tx, consumer: str, event_ids: Sequence[str]) -> set[str]:
    """The ids among these that this consumer has not seen; they are seen from this commit on."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        insert into inbox (consumer, event_id)
        select %s, unnest(%s::uuid[])
        on conflict do nothing
        returning event_id::text
        """,
        [consumer, list(event_ids)],
    )
    return {row[0] for row in await cursor.fetchall()}


async def hears(tx: Tx, consumer: str, types: Sequence[str], since: datetime) -> None:
    """For whoever proves that nothing was lost on the way here."""
    await tx.execute(
        """
        insert into hearing (consumer, type, since)
        select %s, unnest(%s::text[]), %s
        on conflict do nothing
        """,
        [consumer, list(types), since],
    )
