"""Who lives in the history: its own companies, and officers of every body that may be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from identity.actions import mandates, organisations
from identity.actions import people as users
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked
from identity.actions.vault import Vault
from identity.domain.mandates import Wish
from identity.domain.organisations import Organisation
from identity.domain.people import User
from kit import clock
from kit.auth import Principal
from kit.database import Database
from packs import Pack
from portolan_cli import demo_file
from portolan_cli.generation import Company
from portolan_cli.generation.companies import SUBSCRIBER
from portolan_cli.reference.cast import KINDS, OFFICER_ROLES, OFFICERS
from portolan_cli.seeding.journal import Journal

OPERATOR_ROLE = "operator_admin"
POWERS = ("file", "amend", "withdraw")
MANDATES_UNTIL = datetime(2039, 12, 31, tzinfo=UTC)
AGENTS_MAX = 2


@dataclass(frozen=True)
class People:
    """`traders` by company key; `officers` by agency code."""

    traders: Mapping[str, Principal]
    officers: Mapping[str, Sequence[Principal]]


class Registrar:
    """Registers through identity's own actions, as the operator's administrator does."""

    def __init__(self, db: Database, pack: Pack, home: Path, secret: str) -> None:
        self._db, self._pack, self._home = db, pack, home
        self._vault, self._passwords = Vault(secret), Passwords()
        self._journal = Journal(home / "history-people.json")
        self._operator = self._administrator()

    async def settle(self, companies: Sequence[Company]) -> People:
        traders = {company.key: await self._trader(company) for company in companies}
        await self._mandates(companies, traders)
        wanted = [agency for agency in self._pack.agencies.values() if agency.kind in OFFICER_ROLES]
        officers = {agency.code: await self._officers(agency.code) for agency in wanted}
        return People(traders, officers)

    async def _trader(self, company: Company) -> Principal:
        wanted = Organisation(
            id="",
            name=company.name,
            kind=company.kind,
            company_number=company.company_number,
            agency_code="",
            language=company.language,
            billing_mode=company.billing_mode,
            attributes=company.attributes,
            activated_at=clock.now(),
        )
        organisation = await organisations.register(self._db, self._vault, self._asked(company.key), wanted)
        return await self._person(organisation, company.key, ("declarant", "org_admin"))

    async def _mandates(self, companies: Sequence[Company], traders: Mapping[str, Principal]) -> None:
        brokers = [company for company in companies if company.kind == "broker"]
        for place, company in enumerate(companies):
            for agent in agents(company, place, brokers):
                wish = Wish(
                    traders[company.key].organisation_id,
                    traders[agent.key].organisation_id,
                    POWERS,
                    tuple(self._pack.document_types),
                    None,
                    MANDATES_UNTIL,
                )
                asked = self._asked(f"mandate {company.key} {agent.key}")
                await mandates.grant(self._db, self._vault, asked, wish)

    async def _officers(self, code: str) -> list[Principal]:
        """The demo's own, and as many more as a decision by two persons may need."""
        known = self._known(code)
        organisation = await (self._existing(known[0].organisation_id) if known else self._body(code))
        role = (OFFICER_ROLES[self._pack.agencies[code].kind],)
        lacking = range(len(known) + 1, OFFICERS + 1)
        return [*known, *[await self._person(organisation, f"{code}-{number}", role) for number in lacking]]

    async def _existing(self, organisation_id: str) -> Organisation:
        async with self._db.transaction() as tx:
            return await organisations.existing(tx, organisation_id)

    async def _body(self, code: str) -> Organisation:
        agency = self._pack.agencies[code]
        wanted = Organisation(
            id="",
            name=self._pack.label(agency.labels, self._pack.default_language),
            kind=KINDS.get(agency.kind, agency.kind),
            company_number="",
            agency_code=code,
            language=self._pack.default_language,
            billing_mode=SUBSCRIBER,
            attributes=(),
            activated_at=clock.now(),
        )
        return await organisations.register(self._db, self._vault, self._asked(code), wanted)

    async def _person(self, organisation: Organisation, key: str, roles: tuple[str, ...]) -> Principal:
        email = f"{key.lower()}@history.example"
        wanted = User("", organisation.id, email, f"{organisation.name} {key}"[:100], organisation.language, roles)
        password = self._journal.password(email)
        user = await users.register_user(self._db, self._vault, self._passwords, self._asked(email), wanted, password)
        return _principal(user.id, organisation.id, organisation.kind, organisation.agency_code, roles, user.language)

    def _known(self, code: str) -> list[Principal]:
        """Of the demo, whose officers are known by their machines and the persons behind them."""
        content = demo_file.content(self._home)
        persons = {user["email"]: user["id"] for user in content["users"]}
        return [
            _principal(
                persons[client["responsible"]],
                client["organisation_id"],
                client["kind"],
                code,
                tuple(client["roles"]),
                client["language"],
            )
            for client in content["clients"]
            if client.get("agency_code") == code
        ]

    def _administrator(self) -> Principal:
        content = demo_file.content(self._home)
        mine = next(client for client in content["clients"] if OPERATOR_ROLE in client["roles"])
        return _principal(mine["client_id"], mine["organisation_id"], mine["kind"], "", (OPERATOR_ROLE,), "")

    def _asked(self, name: str) -> Asked:
        return Asked(self._operator, self._journal.request_id(name))


def agents(company: Company, place: int, brokers: Sequence[Company]) -> Iterator[Company]:
    """The brokers that act for a company; each has its own."""
    if company.kind != "broker":
        for number in range(min(AGENTS_MAX, len(brokers))):
            yield brokers[(place + number) % len(brokers)]


def _principal(
    person: str, organisation_id: str, kind: str, agency: str, roles: tuple[str, ...], language: str
) -> Principal:
    return Principal(
        subject=person,
        person=person,
        organisation_id=organisation_id,
        organisation_kind=kind,
        agency=agency,
        roles=frozenset(roles),
        language=language,
        token="",
    )
