"""The packs' words and rules, a row for each version."""

from __future__ import annotations

from kit.database import Tx
from packs import serial
from packs.model import Pack
from psycopg.rows import tuple_row


async def load(tx: Tx) -> dict[str, Pack]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select version, content::text from pack_versions order by loaded_at"
    )
    return {version: serial.loads(text) for version, text in await cursor.fetchall()}
