"""A client minds its webhook endpoints: makes, lists, disables, enables, gives them new keys, asks for a replay."""

from __future__ import annotations

from datetime import datetime

from kit import clock, ids, pages, wire
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Invalid, NotFound, Refused
from kit.ids import is_identifier

from notifications.domain import publishing
from notifications.domain.endpoints import (
    BY_OWNER,
    DISABLED,
    ENABLED,
    ENDPOINTS_MAX,
    Endpoint,
    Shown,
    key_overlap_ends,
    refuse_unusable,
)
from notifications.domain.posts import PENDING, Post
from notifications.domain.signing import Key, SealedKey, Vault, shown_secret
from notifications.store import endpoints as store
from notifications.store import posts as post_store

REPLAYED_AT_ONCE_MAX = 1_000


class Desk:
    """`is_demo` lets addresses of this machine, and http, pass."""

    def __init__(self, db: Database, vault: Vault, *, is_demo: bool) -> None:
        self._db = db
        self._vault = vault
        self._is_demo = is_demo

    async def create(
        self, caller: Principal, request_id: str, url: str, description: str, event_types: list[str], signature: str
    ) -> Shown:
        """The same request again answers what it made. Raises Invalid, Refused."""
        refuse_unusable(url, event_types, is_demo=self._is_demo)
        async with self._db.transaction() as tx:
            await store.lock_organisation(tx, caller.organisation_id)
            known = await store.by_request(tx, caller.organisation_id, request_id)
            if known is not None:
                return await self._made_before(tx, known, (url, description, event_types, signature))
            await _require_room(tx, caller.organisation_id)
            endpoint = _new(caller.organisation_id, url, description, event_types, signature)
            await store.insert(tx, endpoint, request_id, caller.person)
            key = await self._add_key(tx, endpoint, request_id)
            return Shown(endpoint, list(await store.keys(tx, [endpoint.id], clock.now())), shown_secret(key))

    async def _made_before(self, tx: Tx, known: Endpoint, asked: tuple[str, str, list[str], str]) -> Shown:
        if not known.is_as_asked(*asked):
            raise Invalid("IDEMPOTENCY_KEY_REUSED", "the key was used for another endpoint")
        return await self._with_secret(tx, known)

    async def rotate(self, caller: Principal, endpoint_id: str, request_id: str) -> Shown:
        """A new key signs from now on; the one before it signs too, until the overlap ends."""
        async with self._db.transaction() as tx:
            endpoint = await _locked(tx, caller, endpoint_id)
            if await store.key_by_request(tx, endpoint_id, request_id) is None:
                now = clock.now()
                await store.retire_keys(tx, endpoint_id, now, key_overlap_ends(now))
                await self._add_key(tx, endpoint, request_id)
            return await self._with_secret(tx, endpoint)

    async def _with_secret(self, tx: Tx, endpoint: Endpoint) -> Shown:
        keys = list(await store.keys(tx, [endpoint.id], clock.now()))
        key = self._vault.open(endpoint.signature, keys[0]) if keys else None
        return Shown(endpoint, keys, shown_secret(key) if key else "")

    async def _add_key(self, tx: Tx, endpoint: Endpoint, request_id: str) -> Key:
        key, name = Key.new(endpoint.signature), ids.new_id()
        sealed = SealedKey(name, endpoint.id, key.public, self._vault.seal(key, name), clock.now())
        await store.add_key(tx, sealed, request_id)
        return key

    async def all(self, caller: Principal, cursor: str, limit: int) -> tuple[list[Shown], str]:
        filters = {"list": "webhook_endpoints", "organisation": caller.organisation_id}
        position, wanted = pages.decode(cursor, filters, tuple[str]), pages.limit(limit)
        async with self._db.connection() as tx:
            before = position[0] if position else None
            found = await store.of_organisation(tx, caller.organisation_id, before, wanted + 1)
            shown = [await _shown(tx, endpoint) for endpoint in found[:wanted]]
        more = len(found) > wanted
        return shown, pages.encode(filters, [found[wanted - 1].id]) if more else ""

    async def get(self, caller: Principal, endpoint_id: str) -> Shown:
        async with self._db.connection() as tx:
            return await _shown(tx, await _own(tx, caller, endpoint_id))

    async def disable(self, caller: Principal, endpoint_id: str) -> Shown:
        """What is on its way is held, and so is what happens from now on."""
        async with self._db.transaction() as tx:
            await _locked(tx, caller, endpoint_id)
            if await store.disable(tx, endpoint_id, BY_OWNER, clock.now()):
                await post_store.hold(tx, endpoint_id)
            return await _shown(tx, await _own(tx, caller, endpoint_id))

    async def enable(self, caller: Principal, endpoint_id: str) -> Shown:
        """What was held stays held until a replay asks for it."""
        async with self._db.transaction() as tx:
            await store.lock_organisation(tx, caller.organisation_id)
            endpoint = await _locked(tx, caller, endpoint_id)
            if endpoint.state == DISABLED:
                await _require_room(tx, caller.organisation_id)
                await store.enable(tx, endpoint_id)
            return await _shown(tx, await _own(tx, caller, endpoint_id))

    async def replay(
        self, caller: Principal, endpoint_id: str, after_sequence: int, since: datetime | None
    ) -> tuple[list[int], int]:
        """The sequences that go again, and the last there is."""
        async with self._db.transaction() as tx:
            endpoint = await _locked_enabled(tx, caller, endpoint_id)
            replayed = await post_store.replay(
                tx, endpoint_id, after_sequence, since, clock.now(), REPLAYED_AT_ONCE_MAX
            )
            return replayed, endpoint.last_sequence

    async def send_test(self, caller: Principal, endpoint_id: str, request_id: str) -> Post:
        """One to this endpoint, whatever it listens to; the same request again is the same one."""
        async with self._db.transaction() as tx:
            await _locked_enabled(tx, caller, endpoint_id)
            known = await post_store.by_event(tx, endpoint_id, request_id)
            if known is not None:
                return known
            post = _test(endpoint_id, request_id, await post_store.number_one(tx, endpoint_id))
            await post_store.insert(tx, [post])
            return post

    async def log(
        self, caller: Principal, endpoint_id: str, state: str, cursor: str, limit: int
    ) -> tuple[list[Post], str]:
        filters = {"list": "webhook_deliveries", "endpoint": endpoint_id, "state": state}
        position, wanted = pages.decode(cursor, filters, tuple[int]), pages.limit(limit)
        async with self._db.connection() as tx:
            await _own(tx, caller, endpoint_id)
            found = await post_store.log(tx, endpoint_id, state, position[0] if position else None, wanted + 1)
        more = len(found) > wanted
        return found[:wanted], pages.encode(filters, [found[wanted - 1].sequence]) if more else ""


def _new(organisation_id: str, url: str, description: str, event_types: list[str], signature: str) -> Endpoint:
    return Endpoint(
        id=ids.new_id(),
        organisation_id=organisation_id,
        url=url,
        description=description,
        event_types=event_types,
        signature=signature,
        state=ENABLED,
        disabled_reason="",
        disabled_at=None,
        failing_since=None,
        last_sequence=0,
        created_at=clock.now(),
    )


def _test(endpoint_id: str, request_id: str, sequence: int) -> Post:
    now = clock.now()
    content = {"message": "a test, asked for by this endpoint's owner"}
    return Post(
        id=ids.new_id(),
        endpoint_id=endpoint_id,
        event_id=request_id,
        sequence=sequence,
        type=publishing.TEST,
        document_id="",
        body=publishing.body(publishing.TEST, wire.rfc3339(now), sequence, content),
        state=PENDING,
        attempts=0,
        due_at=now,
        created_at=now,
    )


async def _require_room(tx: Tx, organisation_id: str) -> None:
    if await store.enabled_count(tx, organisation_id) >= ENDPOINTS_MAX:
        raise Refused("TOO_MANY_ENDPOINTS", f"at most {ENDPOINTS_MAX} enabled ones: disable another first")


async def _own(tx: Tx, caller: Principal, endpoint_id: str) -> Endpoint:
    """Raises NotFound for another organisation's."""
    found = None
    if is_identifier(endpoint_id):
        found = await store.one(tx, caller.organisation_id, endpoint_id)
    if found is None:
        raise NotFound("NOT_FOUND")
    return found


async def _locked(tx: Tx, caller: Principal, endpoint_id: str) -> Endpoint:
    await _own(tx, caller, endpoint_id)
    found = await store.lock(tx, endpoint_id)
    if found is None:
        raise NotFound("NOT_FOUND")
    return found


async def _locked_enabled(tx: Tx, caller: Principal, endpoint_id: str) -> Endpoint:
    endpoint = await _locked(tx, caller, endpoint_id)
    if not endpoint.is_enabled:
        raise Refused("ENDPOINT_DISABLED", "enable it first")
    return endpoint


async def _shown(tx: Tx, endpoint: Endpoint) -> Shown:
    return Shown(endpoint, list(await store.keys(tx, [endpoint.id], clock.now())))
