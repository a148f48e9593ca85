"""Signing keys: made, published, used, retired."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime

import msgspec
from joserfc.jwk import ECKey
from kit import clock, ids, telemetry
from kit.auth import ALGORITHM
from kit.database import Database, Tx
from kit.errors import Unavailable

from identity.actions.vault import Vault
from identity.domain.keys import (
    KEYRING_SECONDS,
    SigningKey,
    is_rotation_due,
    just_made,
    retirement,
    signer,
    signs_from,
)
from identity.store import keys

CURVE = "P-256"


async def rotate(db: Database, vault: Vault) -> SigningKey:
    """Asked again within ROTATION_PAUSE_SECONDS, it answers the key it just made."""
    async with db.transaction() as tx:
        await keys.lock(tx)
        now = clock.now()
        known = _usable(vault, await keys.published(tx, now))
        return just_made(known, now) or await _succeed(tx, vault, known, now)


async def keep(db: Database, vault: Vault) -> None:
    """Makes a key where there is none to sign with or the newest is old; erases the private halves of retired ones."""
    async with db.transaction() as tx:
        await keys.lock(tx)
        now = clock.now()
        known = _usable(vault, await keys.published(tx, now))
        if is_rotation_due(known, now):
            await _succeed(tx, vault, known, now)
        await keys.forget_private_halves(tx, now)


async def _succeed(tx: Tx, vault: Vault, known: list[SigningKey], now: datetime) -> SigningKey:
    key = _new_key(vault, now, signs_from(known, now))
    await keys.add(tx, key)
    await keys.retire_others(tx, key.id, retirement(key.signs_from))
    telemetry.log().info("signing_key_published", key_id=key.id, signs_from=key.signs_from.isoformat())
    return key


def _new_key(vault: Vault, now: datetime, signs_at: datetime) -> SigningKey:
    key_id = ids.new_id()
    pair = ECKey.generate_key(CURVE, {"kid": key_id, "use": "sig", "alg": ALGORITHM}, private=True)
    sealed = vault.seal(pair.as_pem(private=True), key_id)
    return SigningKey(key_id, _json(pair), sealed, now, signs_at)


def _json(pair: ECKey) -> str:
    return msgspec.json.encode(pair.as_dict(private=False), order="sorted").decode()


def _usable(vault: Vault, known: list[SigningKey]) -> list[SigningKey]:
    """Keys sealed under another service secret still verify, and cannot sign."""
    return [key for key in known if vault.open(key.sealed_private, key.id) is not None]


class Keyring:
    """This process's view of the keys, at most KEYRING_SECONDS old."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._known: list[SigningKey] = []
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._pairs: dict[str, ECKey] = {}

    async def signing_pair(self) -> tuple[str, ECKey]:
        """Key id and private key to sign with now. Raises Unavailable when there is none."""
        await self._refresh()
        key = signer(self._known, clock.now())
        if key is None:
            raise Unavailable("NO_SIGNING_KEY", "no signing key can be used")
        return key.id, self._pairs[key.id]

    async def published(self) -> list[SigningKey]:
        """Read anew each time: a verifier asks because it met a key it does not know."""
        async with self._db.connection() as connection:
            return await keys.published(connection, clock.now())

    async def keys(self) -> Mapping[str, str]:
        """As the verifier asks for them."""
        return {key.id: key.public_jwk for key in await self.published()}

    async def _refresh(self) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < KEYRING_SECONDS:
                return
            self._known = _usable(self._vault, await self.published())
            self._pairs = {key.id: self._pairs.get(key.id) or self._opened(key) for key in self._known}
            self._read_at = time.monotonic()

    def _opened(self, key: SigningKey) -> ECKey:
        pem = self._vault.open(key.sealed_private, key.id)
        if pem is None:
            raise Unavailable("NO_SIGNING_KEY", "a signing key does not open")
        return ECKey.import_key(pem)
