"""Users and machine clients come, and clients go."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from kit import clock, ids
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound

from identity.actions import facts, organisations, packs
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked, answered, request
from identity.actions.vault import Vault
from identity.domain import access
from identity.domain.organisations import Kind, Organisation
from identity.domain.people import (
    SIGNING_ROLES,
    Client,
    User,
    check_client,
    check_roles,
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
# Whoever keeps other roles signs in again after so long: a token that was on its way with the roles of before is void.
CHANGE_REACH_SECONDS = 2


@dataclass(frozen=True, slots=True)
class NewClient:
    """`secret` is empty when the request was a repetition: it is shown once."""

    client: Client
    secret: str


async def register_user(
    db: Database, vault: Vault, passwords: Passwords, asked: Asked, wanted: User, password: str
) -> User:
    """For the seed: whoever comes in otherwise is invited. See actions.invitations."""
    asked.by.require(access.OPERATOR)
    wish = request(vault, asked, "register_user", asdict(wanted) | {"id": "", "password": password, "dismissed_at": ""})
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
    unasked = {"id": "", "revoked_at": "", "confirmed_at": ""}
    wish = request(vault, asked, "register_client", asdict(wanted) | unasked)
    async with db.transaction() as tx:
        organisation = await organisations.existing(tx, wanted.organisation_id)
        client = replace(wanted, id=new_client_id(organisation.name, wanted.name), name=wanted.name.strip())
        earlier = await answered(tx, wish, client.id, clock.now())
        if earlier is not None:
            return NewClient(await existing_client(tx, earlier), "")
        responsible = await people.user_by_id(tx, client.responsible_user_id)
        check_client(client, organisation, responsible)
        client = replace(client, confirmed_at=_own_word(asked.by, client))
        if client.awaits_confirmation and responsible is not None:
            await facts.client_awaits_confirmation(tx, organisation, client, responsible)
        return await admit_client(tx, client)


def _own_word(by: Principal, client: Client) -> datetime | None:
    """Whoever registers a machine to answer for it, signed in as themselves, has confirmed it."""
    return clock.now() if by.subject == by.person == client.responsible_user_id else None


async def confirm_client(db: Database, by: Principal, client_id: str) -> Client:
    """Raises NotFound for whoever does not answer for it."""
    access.require_own_person(by)
    async with db.transaction() as tx:
        client = await existing_client(tx, client_id)
        if client.responsible_user_id != by.person:
            raise NotFound("NOT_FOUND", "no such client")
        await people.mark_client_confirmed(tx, client_id, clock.now())
        return await existing_client(tx, client_id)


async def dismiss_user(db: Database, by: Principal, organisation_id: str, user_id: str) -> User:
    """A second dismissal changes nothing. Raises Refused for the last administrator."""
    access.require_management(by, organisation_id)
    async with db.transaction() as tx:
        user = await _locked_member(tx, organisation_id, user_id)
        if user.dismissed_at is not None:
            return user
        user = replace(user, dismissed_at=clock.now())
        await _change_standing(tx, user, REVOCATION_REACH_SECONDS)
        for client in await people.live_clients_of(tx, user_id):
            await dismiss_client(tx, client)
        return user


async def change_roles(db: Database, by: Principal, organisation_id: str, user_id: str, roles: tuple[str, ...]) -> User:
    """Machines that sign for the person in a role no longer held go too. Raises Refused for the last administrator."""
    access.require_management(by, organisation_id)
    async with db.transaction() as tx:
        user = await _locked_member(tx, organisation_id, user_id)
        if user.dismissed_at is not None:
            raise NotFound("NOT_FOUND", "no such user")
        check_roles(roles, await organisations.existing(tx, organisation_id))
        user = replace(user, roles=roles)
        await _change_standing(tx, user, CHANGE_REACH_SECONDS)
        for client in await people.live_clients_of(tx, user_id):
            if not (SIGNING_ROLES & set(client.roles)) <= set(roles):
                await dismiss_client(tx, client)
        return user


async def _locked_member(tx: Tx, organisation_id: str, user_id: str) -> User:
    """Under the organisation's lock: two administrators cannot dismiss each other."""
    await organisation_rows.locked(tx, organisation_id)
    user = await _user(tx, user_id)
    if user.organisation_id != organisation_id:
        raise NotFound("NOT_FOUND", "no such user")
    return user


async def _change_standing(tx: Tx, user: User, reach_seconds: int) -> None:
    await people.set_standing(tx, user)
    await revocations.add(tx, user.id, clock.now() + timedelta(seconds=reach_seconds))


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


async def recipients(tx: Tx, organisation_id: str, agency_code: str, role: str = "") -> list[User]:
    """The organisation's shared feed, then its people; only those with the role when one is named."""
    organisation = await _addressed(tx, organisation_id, agency_code, role)
    if organisation is None:
        return []
    if role:
        return await people.recipients(tx, organisation.id, role)
    shared = User(organisation.id, organisation.id, "", organisation.name, organisation.language, ())
    return [shared, *await people.recipients(tx, organisation.id)]


async def _addressed(tx: Tx, organisation_id: str, agency_code: str, role: str) -> Organisation | None:
    if agency_code:
        return await organisation_rows.by_agency_code(tx, agency_code)
    if role and not organisation_id:
        return await organisation_rows.first_of_kind(tx, Kind.OPERATOR)
    return await organisation_rows.by_id(tx, organisation_id)
