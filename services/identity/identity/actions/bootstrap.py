"""The first operator administrator: somebody must be there to let the others in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from kit import clock, ids
from kit.database import Database, Tx
from kit.errors import Invalid

from identity.actions import organisations, packs, people
from identity.actions.passwords import Passwords
from identity.domain.access import OPERATOR
from identity.domain.organisations import CountryRules, Kind, Organisation
from identity.domain.people import Client, User, email_address, new_client_id
from identity.store import organisations as organisation_rows
from identity.store import packs as pack_rows
from identity.store import people as people_rows

CLIENT_NAME = "bootstrap"
PASSWORD_BYTES = 18


@dataclass(frozen=True, slots=True)
class FirstOperator:
    organisation: Organisation
    user: User
    password: str
    client: Client
    secret: str


Keep = Callable[[FirstOperator], None]


async def bootstrap(db: Database, passwords: Passwords, email: str, keep: Keep) -> bool:
    """False when there is an operator already. `keep` is given the secrets once, before the commit:
    secrets that prove nothing are better than an account whose secrets nobody has."""
    password, password_hash = await _new_password(passwords)
    async with db.transaction() as tx:
        await pack_rows.lock(tx)
        if await organisation_rows.first_of_kind(tx, Kind.OPERATOR):
            return False
        rules = await packs.rules_in_force(tx)
        organisation = await organisations.found(tx, _operator(rules), rules)
        user = _administrator(organisation, email)
        await people_rows.add_user(tx, user, password_hash, clock.now())
        await _admit(tx, organisation, user, password, keep)
        return True


async def renew(db: Database, passwords: Passwords, keep: Keep) -> None:
    """For when the secrets were lost: a new password and a new client; the one before is revoked."""
    password, password_hash = await _new_password(passwords)
    async with db.transaction() as tx:
        await pack_rows.lock(tx)
        organisation, user = await _first_administrator(tx)
        await people_rows.set_password(tx, user.id, password_hash)
        for client in await people_rows.live_clients_named(tx, organisation.id, CLIENT_NAME):
            await people.dismiss_client(tx, client)
        await _admit(tx, organisation, user, password, keep)


async def _new_password(passwords: Passwords) -> tuple[str, str]:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    return password, await passwords.hash(password)


async def _first_administrator(tx: Tx) -> tuple[Organisation, User]:
    organisation = await organisation_rows.first_of_kind(tx, Kind.OPERATOR)
    user = await people_rows.user_with_role(tx, organisation.id, OPERATOR) if organisation else None
    if organisation is None or user is None:
        raise RuntimeError("there is no operator to renew")
    return organisation, user


async def _admit(tx: Tx, organisation: Organisation, user: User, password: str, keep: Keep) -> None:
    client = Client(
        id=new_client_id(organisation.name, CLIENT_NAME),
        organisation_id=organisation.id,
        name=CLIENT_NAME,
        roles=(OPERATOR,),
        responsible_user_id=user.id,
        confirmed_at=clock.now(),
    )
    admitted = await people.admit_client(tx, client)
    keep(FirstOperator(organisation, user, password, client, admitted.secret))


def _operator(rules: CountryRules) -> Organisation:
    return Organisation(
        id=ids.new_id(),
        name="Portolan",
        kind=Kind.OPERATOR,
        company_number="",
        agency_code="",
        language=rules.default_language,
        billing_mode="occasional",
        attributes=(),
        activated_at=clock.now(),
    )


def _administrator(organisation: Organisation, email: str) -> User:
    address = email_address(email)
    if address is None:
        raise Invalid("INVALID_REQUEST", f"{email!r} is not an e-mail address")
    return User(ids.new_id(), organisation.id, address, "Administrator", organisation.language, (OPERATOR,))
