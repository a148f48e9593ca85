"""Signing keys. Private halves are sealed before they come here."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from datetime import datetime

from kit.database import Tx

from identity.domain.keys import SigningKey
from identity.store import rows

COLUMNS = "id, public_jwk, sealed_private, created_at, signs_from, retires_at"
LOCK_KEY = 0x6B657973
KEYS_MAX = 50


async def lock(tx: Tx) -> None:
    """One rotation at a time, whichever process asks."""
    await tx.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])


async def published(tx: Tx, at: datetime) -> list[SigningKey]:
    query = f"""
        select {COLUMNS}
        from signing_keys
        where retires_at is null or retires_at > %s
        order by signs_from desc, id desc
        limit {KEYS_MAX}
    """
    return await rows.many(tx, SigningKey, query, [at])


async def add(tx: Tx, key: SigningKey) -> None:
    await tx.execute(
        """
        insert into signing_keys (id, public_jwk, sealed_private, created_at, signs_from)
        values (%s, %s, %s, %s, %s)
        """,
        [key.id, key.public_jwk, key.sealed_private, key.created_at, key.signs_from],
    )


async def retire_others(tx: Tx, key_id: str, at: datetime) -> None:
    """A retirement that was set before stands."""
    await tx.execute("update signing_keys set retires_at = %s where id <> %s and retires_at is null", [at, key_id])


async def forget_private_halves(tx: Tx, at: datetime) -> None:
    """Nobody can sign with a retired key, not even from a stolen backup of later days."""
    await tx.execute(
        "update signing_keys set sealed_private = '' where retires_at <= %s and sealed_private <> ''", [at]
    )
