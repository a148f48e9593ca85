"""Short ways to say who exists."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from identity.actions import organisations, packs, people
from identity.actions.keyring import Keyring
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked
from identity.actions.tokens import TokenDesk
from identity.actions.vault import Vault
from identity.domain.organisations import CountryRules, Organisation
from identity.domain.people import Client, User
from kit import ids
from kit.auth import Principal
from kit.database import Database
from kit.sealing import Sealer
from kit.testing import a_principal
from packs.model import CompanyNumber
from stdnum import luhn

ZEROS = "000000000"
PASSWORD = "a long enough password"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECRET = "a service secret for tests"
_numbers = itertools.count(10_000_000)

RULES = CountryRules(
    number=CompanyNumber(scheme="fr.siren", pattern="^[0-9]{9}$", label="number", refuse=(ZEROS,)),
    languages=frozenset({"fr", "ar", "en"}),
    default_language="fr",
    agency_kinds={"TRADE": "agency", "HEALTH": "agency", "BANK-1": "bank", "CUSTOMS": "customs"},
)
CODES = {"agency": "TRADE", "bank": "BANK-1", "customs": "CUSTOMS"}
TRADERS = ("importer", "exporter", "broker")

OPERATOR = a_principal("operator_admin", organisation_id="org-operator", kind="operator")


def a_number() -> str:
    base = str(next(_numbers))
    return base + luhn.calc_check_digit(base)


def an_organisation(kind: str = "importer", **changes: Any) -> Organisation:
    values: dict[str, Any] = {
        "id": "",
        "name": f"The {kind}",
        "kind": kind,
        "company_number": a_number() if kind in TRADERS else "",
        "agency_code": CODES.get(kind, ""),
        "language": "fr",
        "billing_mode": "occasional",
        "attributes": (),
        "activated_at": NOON,
    }
    return Organisation(**(values | changes))


def a_user(organisation: Organisation, *roles: str, **changes: Any) -> User:
    values = {"email": f"{ids.new_id()}@company.example", "name": "Somebody", "language": "ar"}
    return User(id="", organisation_id=organisation.id, roles=roles, **(values | changes))


def a_client(responsible: User, *roles: str, name: str = "erp") -> Client:
    return Client("", responsible.organisation_id, name, roles, responsible.id)


def acting(organisation: Organisation, *roles: str) -> Principal:
    return a_principal(*roles, organisation_id=organisation.id, kind=organisation.kind, agency=organisation.agency_code)


def in_person(user: User, *roles: str) -> Principal:
    """Signed in with the own password."""
    return a_principal(*(roles or ("org_admin",)), organisation_id=user.organisation_id, person=user.id)


def asked(by: Principal = OPERATOR, request_id: str = "") -> Asked:
    return Asked(by, request_id or ids.new_id())


@dataclass(frozen=True)
class House:
    """Identity without its gRPC face."""

    db: Database
    vault: Vault
    passwords: Passwords
    keys: Keyring
    desk: TokenDesk
    sealer: Sealer

    async def organisation(self, kind: str = "importer", **changes: Any) -> Organisation:
        return await organisations.register(self.db, self.vault, asked(), an_organisation(kind, **changes))

    async def user(self, organisation: Organisation, *roles: str, **changes: Any) -> User:
        wanted = a_user(organisation, *roles, **changes)
        return await people.register_user(self.db, self.vault, self.passwords, asked(), wanted, PASSWORD)

    async def client(self, organisation: Organisation, *roles: str) -> people.NewClient:
        """Registered by the person who answers for it."""
        responsible = await self.user(organisation, *roles)
        return await people.register_client(
            self.db, self.vault, asked(in_person(responsible)), a_client(responsible, *roles)
        )

    async def said(self) -> list[Mapping[str, Any]]:
        async with self.db.connection() as connection:
            cursor = await connection.execute("select type, key from outbox order by id")
            return [{"type": row[0].rpartition(".")[2], "key": row[1]} for row in await cursor.fetchall()]

    async def count(self, table: str) -> int:
        async with self.db.connection() as connection:
            cursor = await connection.execute(f"select count(*) from {table}")  # noqa: S608 - a table of ours
            row = await cursor.fetchone()
            return int(row[0]) if row else 0


async def a_house(db: Database, secret: str = SECRET) -> House:
    vault, passwords = Vault(secret), Passwords()
    keys = Keyring(db, vault)
    return House(db, vault, passwords, keys, TokenDesk(db, keys, passwords, "test"), Sealer(secret))


async def with_rules(db: Database) -> None:
    await packs.load(db, "testland", "1", date(2020, 1, 1), RULES)
