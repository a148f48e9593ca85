"""Users and machine clients come, and clients go."""

from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from kit import clock, ids
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound

from identity.actions import facts, organisations, packs
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked, answered, request
from identity.actions.vault import Vault
from identity.domain import access
from identity.domain.people import (
    Client,
    User,
    check_client,
    check_user,
    digest,
    email_address,
    new_client_id,
    new_secret,
)
from identity.store import organisations as organisation_rows
from identity.store import people, revocations

# A token may be on its way out of another process while its client is revoked: no client is given a token
# after its revocation, so voiding a little of the future costs nothing and closes the gap.
REVOCATION_REACH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class NewClient:
    """`secret` is empty when the request was a repetition: it is shown once."""

    client: Client
    secret: str


async def register_user(
    db: Database, vault: Vault, passwords: Passwords, asked: Asked, wanted: User, password: str
) -> User:
    access.require_management(asked.by, wanted.organisation_id)
    wish = request(vault, asked, "register_user", asdict(wanted) | {"id": "", "password": password})
    async with db.connection() as connection:
        await _check_user(connection, wanted, password)
    password_hash = await passwords.hash(password)
    async with db.transaction() as tx:
        user = replace(wanted, id=ids.new_id(), email=email_address(wanted.email) or "", name=wanted.name.strip())
        earlier = await answered(tx, wish, user.id, clock.now())
        if earlier is not None:
            return await _user(tx, earlier)
        await people.add_user(tx, user, password_hash, clock.now())
        return user


async def _check_user(tx: Tx, wanted: User, password: str) -> None:
    """Before the hash, which is dear; nothing that is checked here can change for the worse."""
    organisation = await organisations.existing(tx, wanted.organisation_id)
    known = replace(wanted, email=email_address(wanted.email) or "")
    check_user(known, password, organisation, await packs.rules_in_force(tx))


async def _user(tx: Tx, user_id: str) -> User:
    user = await people.user_by_id(tx, user_id)
    if user is None:
        raise NotFound("NOT_FOUND", "no such user")
    return user


async def register_client(db: Database, vault: Vault, asked: Asked, wanted: Client) -> NewClient:
    access.require_management(asked.by, wanted.organisation_id)
    wish = request(vault, asked, "register_client", asdict(wanted) | {"id": "", "revoked_at": ""})
    async with db.transaction() as tx:
        organisation = await organisations.existing(tx, wanted.organisation_id)
        client = replace(wanted, id=new_client_id(organisation.name, wanted.name), name=wanted.name.strip())
        earlier = await answered(tx, wish, client.id, clock.now())
        if earlier is not None:
            return NewClient(await existing_client(tx, earlier), "")
        check_client(client, organisation, await people.user_by_id(tx, client.responsible_user_id))
        return await admit_client(tx, client)


async def admit_client(tx: Tx, client: Client) -> NewClient:
    secret = new_secret()
    await people.add_client(tx, client, digest(secret), clock.now())
    return NewClient(client, secret)


async def existing_client(tx: Tx, client_id: str) -> Client:
    client = await people.client_by_id(tx, client_id)
    if client is None:
        raise NotFound("NOT_FOUND", "no such client")
    return client


async def revoke_client(db: Database, by: Principal, client_id: str) -> Client:
    """A second revocation changes nothing and says nothing."""
    async with db.transaction() as tx:
        client = await _managed_client(tx, by, client_id)
        await organisation_rows.locked(tx, client.organisation_id)
        client = await existing_client(tx, client_id)
        return client if client.revoked_at else await dismiss_client(tx, client)


async def dismiss_client(tx: Tx, client: Client) -> Client:
    now = clock.now()
    await people.mark_client_revoked(tx, client.id, now)
    await revocations.add(tx, client.id, now + timedelta(seconds=REVOCATION_REACH_SECONDS))
    await facts.client_revoked(tx, client, now)
    return replace(client, revoked_at=now)


async def _managed_client(tx: Tx, by: Principal, client_id: str) -> Client:
    client = await existing_client(tx, client_id)
    if not by.has(access.OPERATOR) and by.organisation_id != client.organisation_id:
        raise NotFound("NOT_FOUND", "no such client")
    access.require_management(by, client.organisation_id)
    return client


async def recipients(tx: Tx, organisation_id: str, agency_code: str) -> list[User]:
    """The organisation's shared feed, then its people; nobody when there is no such organisation."""
    if agency_code:
        organisation = await organisation_rows.by_agency_code(tx, agency_code)
    else:
        organisation = await organisation_rows.by_id(tx, organisation_id)
    if organisation is None:
        return []
    shared = User(organisation.id, organisation.id, "", organisation.name, organisation.language, ())
    return [shared, *await people.recipients(tx, organisation.id)]
