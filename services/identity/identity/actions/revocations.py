"""Which tokens are void before they expire."""

from datetime import timedelta

from kit import clock
from kit.auth import Revoked
from kit.database import Database, Tx

from identity.actions.people import REVOCATION_REACH_SECONDS
from identity.domain.keys import CLOCK_SKEW_SECONDS, TOKEN_SECONDS
from identity.store import revocations

MATTERS_SECONDS = TOKEN_SECONDS + CLOCK_SKEW_SECONDS + REVOCATION_REACH_SECONDS


async def since(tx: Tx, sequence: int) -> list[revocations.Revocation]:
    """Those that still matter: the tokens of older ones have expired by themselves."""
    return await revocations.after(tx, sequence, clock.now() - timedelta(seconds=MATTERS_SECONDS))


async def forget_old(db: Database) -> None:
    async with db.transaction() as tx:
        await revocations.forget(tx, clock.now() - timedelta(seconds=2 * MATTERS_SECONDS))


class OwnRevocations:
    """As identity's own verifier asks for them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, after: int) -> list[Revoked]:
        async with self._db.connection() as connection:
            found = await since(connection, after)
        return [Revoked(one.sequence, one.subject, one.revoked_at.timestamp()) for one in found]
