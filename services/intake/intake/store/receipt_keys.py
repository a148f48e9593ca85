"""Keys that sign receipts. Old ones stay: a receipt is verified years later."""

from collections.abc import Sequence

from kit.database import Tx
from psycopg.rows import class_row

from intake.domain.receipts import StoredKey

KEYS_MAX = 1_000
LOCK_KEY = 0x7265636569707473


async def lock(tx: Tx) -> None:
    """Two processes that start on an empty table must not both make a first key."""
    await tx.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])


async def newest_first(tx: Tx) -> Sequence[StoredKey]:
    cursor = await tx.cursor(row_factory=class_row(StoredKey)).execute(
        "select key_id, public, sealed_private from receipt_keys order by created_at desc, key_id limit %s", [KEYS_MAX]
    )
    return await cursor.fetchall()


async def add(tx: Tx, key: StoredKey) -> None:
    await tx.execute(
        "insert into receipt_keys (key_id, public, sealed_private) values (%s, %s, %s)",
        [key.key_id, key.public, key.sealed_private],
    )
