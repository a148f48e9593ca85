"""Proof in, access token out."""

import time
from datetime import datetime

from joserfc import jwt
from kit import clock, ids
from kit.auth import ALGORITHM
from kit.database import Database
from kit.errors import Forbidden, Unauthenticated

from identity.actions.keyring import Keyring
from identity.actions.passwords import Passwords
from identity.domain.attempts import Attempts
from identity.domain.people import email_address, is_secret
from identity.domain.tokens import AccessToken, Bearer, claims, roles_granted
from identity.store import people

ACCOUNT_CHARS_MAX = 320


class TokenDesk:
    """One per process; it remembers failed attempts."""

    def __init__(self, db: Database, keyring: Keyring, passwords: Passwords, issuer: str) -> None:
        self._db = db
        self._keyring = keyring
        self._passwords = passwords
        self._issuer = issuer
        self._client_attempts = Attempts()
        self._user_attempts = Attempts()

    async def issue_token(self, client_id: str, secret: str, scope: str) -> AccessToken:
        """The right secret is never made to wait: it cannot be guessed, so a stranger cannot lock a client out."""
        asked_at = clock.now()
        bearer = await self._client(client_id)
        fits = is_secret(secret, bearer.proof if bearer else None)
        if bearer is None or not fits or bearer.is_revoked:
            self._client_attempts.count(client_id[:ACCOUNT_CHARS_MAX], time.monotonic())
            raise Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret")
        self._client_attempts.forgive(client_id)
        if bearer.awaits_confirmation:
            raise Forbidden("CLIENT_UNCONFIRMED", "the person who answers for this machine has not confirmed it")
        return await self._token(bearer, scope, asked_at)

    async def sign_in(self, email: str, password: str) -> AccessToken:
        asked_at = clock.now()
        address = email_address(email[:ACCOUNT_CHARS_MAX]) or ""
        # Counted before the hash, so that attempts in parallel do not slip past the limit together.
        self._user_attempts.count(address, time.monotonic())
        bearer = await self._user(address)
        stored = bearer.proof.decode() if bearer else None
        if not await self._passwords.verify(password, stored) or bearer is None:
            raise Unauthenticated("UNAUTHENTICATED", "unknown address, or wrong password")
        self._user_attempts.forgive(address)
        await self._rehash_if_outdated(bearer, password)
        return await self._token(bearer, "", asked_at)

    async def _client(self, client_id: str) -> Bearer | None:
        if not client_id.isascii() or not client_id.isprintable() or len(client_id) > ACCOUNT_CHARS_MAX:
            return None
        async with self._db.connection() as connection:
            return await people.client_bearer(connection, client_id)

    async def _user(self, address: str) -> Bearer | None:
        async with self._db.connection() as connection:
            return await people.user_bearer(connection, address)

    async def _rehash_if_outdated(self, bearer: Bearer, password: str) -> None:
        if self._passwords.is_outdated(bearer.proof.decode()):
            stronger = await self._passwords.hash(password)
            async with self._db.transaction() as tx:
                await people.set_password(tx, bearer.subject, stronger)

    async def _token(self, bearer: Bearer, scope: str, asked_at: datetime) -> AccessToken:
        """Issued at the moment before the bearer was read: what was revoked since then is void."""
        roles = roles_granted(bearer.roles, scope)
        key_id, pair = await self._keyring.signing_pair()
        said = claims(bearer, roles, issuer=self._issuer, at=asked_at, token_id=ids.new_id())
        header = {"alg": ALGORITHM, "kid": key_id, "typ": "at+jwt"}
        return AccessToken(jwt.encode(header, said, pair, algorithms=[ALGORITHM]), " ".join(roles))
