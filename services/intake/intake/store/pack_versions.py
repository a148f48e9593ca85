"""Country packs as this service was given them; a version, once loaded, never changes."""

from collections.abc import Collection, Sequence
from datetime import date

from kit.database import Tx
from psycopg.rows import tuple_row


async def add(tx: Tx, name: str, version: str, effective_from: date, content: str) -> None:
    await tx.execute(
        """
        insert into pack_versions (name, version, effective_from, content) values (%s, %s, %s, %s)
        on conflict do nothing
        """,
        [name, version, effective_from, content],
    )


async def content(tx: Tx, name: str, version: str) -> str | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content::text from pack_versions where name = %s and version = %s", [name, version]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def contents(tx: Tx, known: Collection[str]) -> Sequence[str]:
    """Of the versions that are not known yet."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content::text from pack_versions where version <> all(%s::text[])", [list(known)]
    )
    return [row[0] for row in await cursor.fetchall()]
