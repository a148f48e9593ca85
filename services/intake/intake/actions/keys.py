"""The key that signs receipts, and all public keys that ever did."""

from collections.abc import Sequence

from kit.database import Database

from intake.domain import receipts
from intake.domain.receipts import ReceiptKey
from intake.store import receipt_keys


async def signing_key(db: Database, secret: str) -> ReceiptKey:
    """The newest; made when there is none."""
    async with db.transaction() as tx:
        await receipt_keys.lock(tx)
        known = await receipt_keys.newest_first(tx)
        if known:
            return receipts.unsealed(known[0], secret)
        key = receipts.new_key()
        await receipt_keys.add(tx, key.sealed(secret))
        return key


async def public_keys(db: Database) -> Sequence[str]:
    """JWKs, newest first."""
    async with db.connection() as connection:
        return [receipts.jwk(key.key_id, key.public) for key in await receipt_keys.newest_first(connection)]
