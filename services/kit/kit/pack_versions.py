"""Country packs as a service was given them: of each version its own part, which once kept never changes.

What the text says is the service's business, and so is the table `pack_versions`: its first migration makes it.
"""

from collections.abc import Collection
from datetime import date

from psycopg.rows import tuple_row

from kit import clock
from kit.database import Tx
from kit.errors import Conflict


async def keep(tx: Tx, name: str, version: str, effective_from: date, content: str) -> bool:
    """Whether it is new here. Raises Conflict when this version was kept with other content."""
    cursor = await tx.execute(
        """
        insert into pack_versions (name, version, effective_from, content, loaded_at)
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [name, version, effective_from, content, clock.now()],
    )
    is_new = cursor.rowcount == 1
    if not is_new and not await _is_kept_as(tx, name, version, content):
        raise Conflict("PACK_VERSION_TAKEN", f"{name} {version} was loaded with other content: give it a new version")
    return is_new


async def _is_kept_as(tx: Tx, name: str, version: str, content: str) -> bool:
    """A null is as good as nothing there: what packs learn to say changes none that does not say it."""
    cursor = await tx.execute(
        """
        select 1 from pack_versions
        where name = %s and version = %s
            and jsonb_strip_nulls(content::jsonb) = jsonb_strip_nulls(%s::jsonb)
        """,
        [name, version, content],
    )
    return await cursor.fetchone() is not None


async def number_kept(tx: Tx) -> int:
    """Rows are never removed: another number means that there is something new."""
    cursor = await tx.cursor(row_factory=tuple_row).execute("select count(*) from pack_versions")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def contents_but(tx: Tx, known: Collection[str]) -> list[str]:
    """Of the versions that are not among the known ones."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content::text from pack_versions where version <> all(%s::text[])", [list(known)]
    )
    return [row[0] for row in await cursor.fetchall()]
