"""The access log: added to, read, never changed."""

from __future__ import annotations

from collections.abc import Sequence

from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.accesses import Access


async def add(tx: Tx, accesses: Sequence[Access]) -> None:
    """The same again adds nothing."""
    if not accesses:
        return
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


async def known(tx: Tx, document_ids: Sequence[str]) -> list[str]:
    """Those that there are."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text from documents where document_id = any(%s::uuid[])", [list(document_ids)]
    )
    return [row[0] for row in await cursor.fetchall()]


async def lock_size(tx: Tx) -> int:
    """How many lines have their place; whoever numbers the next ones holds this first."""
    cursor = await tx.cursor(row_factory=tuple_row).execute("select size from access_log_size for update")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def unnumbered(tx: Tx, limit: int) -> list[tuple[str, bytes]]:
    """Ids and entries."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select access_id::text, entry from accesses where seq is null order by access_id limit %s", [limit]
    )
    return [(row[0], row[1].encode()) for row in await cursor.fetchall()]


async def number(tx: Tx, after: int, leaves: Sequence[tuple[str, bytes]]) -> None:
    """`leaves`: ids and hashes, in the order they take from now on."""
    await tx.execute(
        """
        update accesses
        set seq = %s + place, leaf_hash = leaf.hash
        from unnest(%s::uuid[], %s::bytea[]) with ordinality as leaf (id, hash, place)
        where access_id = leaf.id
        """,
        [after, [access_id for access_id, _ in leaves], [leaf for _, leaf in leaves]],
    )
    await tx.execute("update access_log_size set size = %s", [after + len(leaves)])
