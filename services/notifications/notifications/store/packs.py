"""The packs' words and rules, a row for each version."""

from __future__ import annotations

from kit import clock
from kit.database import Tx
from packs import serial
from packs.model import Pack
from psycopg.rows import tuple_row


async def content(tx: Tx, name: str, version: str) -> str | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content::text from pack_versions where name = %s and version = %s", [name, version]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def insert(tx: Tx, pack: Pack, text: str) -> None:
    await tx.execute(
        """
        insert into pack_versions (name, version, effective_from, content, loaded_at)
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [pack.name, pack.version, pack.effective_from, text, clock.now()],
    )


async def number_loaded(tx: Tx) -> int:
    cursor = await tx.cursor(row_factory=tuple_row).execute("select count(*) from pack_versions")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def load(tx: Tx) -> dict[str, Pack]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select version, content::text from pack_versions order by loaded_at"
    )
    return {version: serial.loads(text) for version, text in await cursor.fetchall()}
