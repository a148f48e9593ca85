"""The access log: added to, read, never changed."""

from __future__ import annotations

from collections.abc import Sequence

from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.accesses import Access


async def add(tx: Tx, accesses: Sequence[Access]) -> None:
    """The same again adds nothing."""
    await tx.execute(
        """
        insert into accesses (access_id, document_id, entry)
        select * from unnest(%s::uuid[], %s::uuid[], %s::text[])
        on conflict do nothing
        """,
        [
            [access.id for access in accesses],
            [access.document_id for access in accesses],
            [access.entry.decode() for access in accesses],
        ],
    )


async def newest_first(tx: Tx, document_id: str, before: str | None, limit: int) -> list[tuple[str, bytes]]:
    """Ids and entries."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select access_id::text, entry
        from accesses
        where document_id = %s
            and access_id < coalesce(%s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        order by access_id desc
        limit %s
        """,
        [document_id, before, limit],
    )
    return [(row[0], row[1].encode()) for row in await cursor.fetchall()]
