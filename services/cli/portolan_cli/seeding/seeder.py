"""Brings the demo in over public HTTP, as the operator's administrator, and says in demo.json who everybody is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portolan_cli import demo_file
from portolan_cli.client import Credentials, Person, Portolan
from portolan_cli.embedded import secret_file
from portolan_cli.seeding.journal import Journal
from portolan_cli.seeding.plan import Entry, SeedError, SeedPlan, load

OPERATOR = "operator"
# A client whose secret was lost between its making and our noting it is made anew.
CLIENT_ATTEMPTS_MAX = 5
MANDATE_POWERS = ("file", "amend", "withdraw", "pay")

ORGANISATION_MEMBERS = ("name", "kind", "language", "company_number", "agency_code", "billing_mode", "attributes")
DAY_TIMES = {"valid_from": "T00:00:00Z", "valid_to": "T23:59:59Z"}


class Seeder:
    def __init__(self, portolan: Portolan, bootstrap: Mapping[str, Any], journal: Journal, plan: SeedPlan) -> None:
        self._portolan = portolan
        self._bootstrap = bootstrap
        self._operator = Credentials(bootstrap["client_id"], bootstrap["client_secret"])
        self._journal = journal
        self._plan = plan
        self._organisations: dict[str, dict[str, Any]] = {}
        self._users: list[dict[str, Any]] = []

    def run(self) -> dict[str, Any]:
        """The content of demo.json."""
        for entry in self._plan.organisations:
            self._organisations[entry["key"]] = self._organisation(entry)
        self._users = [self._user(entry) for entry in self._plan.users]
        clients = [self._client(entry, number) for number, entry in enumerate(self._plan.clients, start=1)]
        mandates = [self._mandate(entry) for entry in self._plan.mandates]
        return {
            "base_url": self._portolan.base_url,
            "clients": [*clients, *self._operator_clients(clients)],
            "users": self._users,
            "mandates": mandates,
            "organisations": list(self._organisations.values()),
        }

    def _organisation(self, entry: Entry) -> dict[str, Any]:
        known = {"key": entry["key"], "agency_code": entry.get("agency_code") or ""}
        if entry["kind"] == OPERATOR:
            # The one that let us in.
            founded = {"id": self._bootstrap["organisation_id"], "name": self._bootstrap["organisation_name"]}
            return {**founded, "kind": OPERATOR, "language": entry.get("language", ""), **known}
        if entry.get("id"):
            # Registered before; people are added to it.
            return {name: entry[name] for name in ("id", "name", "kind", "language")} | known
        made = self._make(f"organisation {entry['key']}", "/v1/organisations", _members(entry, ORGANISATION_MEMBERS))
        return {name: made[name] for name in ("id", "name", "kind", "language")} | known

    def _user(self, entry: Entry) -> dict[str, Any]:
        organisation = self._organisations[entry["organisation"]]
        email = entry["email"]
        own = self._bootstrap.get("user", {})
        if email == own.get("email"):
            return {**own, "organisation_id": organisation["id"], "key": entry.get("key", "")}
        asked = {
            "email": email,
            "name": entry["name"],
            "password": entry.get("password") or self._journal.password(email),
            "language": entry.get("language") or organisation["language"],
            "roles": entry["roles"],
        }
        made = self._make(f"user {email}", f"/v1/organisations/{organisation['id']}/users", asked)
        return {**asked, "id": made["id"], "organisation_id": organisation["id"], "key": entry.get("key", "")}

    def _client(self, entry: Entry, number: int) -> dict[str, Any]:
        organisation = self._organisations[entry["organisation"]]
        responsible = self._responsible(entry, organisation)
        asked = {
            "name": entry.get("name") or f"{organisation['key']} {number}",
            "roles": entry["roles"],
            "responsible_user_id": responsible["id"],
        }
        made = self._journal.once(f"client {number}", lambda: self._new_client(organisation["id"], asked, number))
        if made.get("awaits_confirmation"):
            self._journal.once(f"confirmation {number}", lambda: self._confirmed(made["client_id"], responsible))
        return {
            "key": entry.get("key") or organisation["key"],
            "client_id": made["client_id"],
            "client_secret": made["client_secret"],
            "roles": list(entry["roles"]),
            "responsible": responsible["email"],
            **_of_organisation(organisation),
        }

    def _new_client(self, organisation_id: str, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
        for attempt in range(1, CLIENT_ATTEMPTS_MAX + 1):
            key = self._journal.request_id(f"client {number} attempt {attempt}")
            path = f"/v1/organisations/{organisation_id}/clients"
            made: dict[str, Any] = self._portolan.post(path, self._operator, asked, key=key)
            if made.get("client_secret"):
                return made
        raise SeedError(f"client {asked['name']}: no secret after {CLIENT_ATTEMPTS_MAX} attempts")

    def _confirmed(self, client_id: str, responsible: Mapping[str, Any]) -> dict[str, Any]:
        """By the person who is to answer for it, as everywhere else."""
        person = Person(responsible["email"], responsible["password"])
        confirmed: dict[str, Any] = self._portolan.post(f"/v1/clients/{client_id}:confirm", person)
        return confirmed

    def _responsible(self, entry: Entry, organisation: Mapping[str, Any]) -> Mapping[str, Any]:
        """The user named, else the organisation's first."""
        named = entry.get("responsible") or entry.get("responsible_user")
        for user in self._users:
            if user["organisation_id"] == organisation["id"] and named in (None, user["email"], user["key"]):
                return user
        raise SeedError(f"client of {organisation['key']}: no user {named or ''} answers for it")

    def _mandate(self, entry: Entry) -> dict[str, Any]:
        principal, agent = (self._organisations[entry[party]] for party in ("principal", "agent"))
        asked = {
            "agent_organisation_id": agent["id"],
            "powers": list(entry.get("powers") or MANDATE_POWERS),
            **_members(entry, ("document_types",)),
            **_period(entry),
        }
        path = f"/v1/organisations/{principal['id']}/mandates"
        return self._make(f"mandate {entry['principal']} to {entry['agent']}", path, asked)

    def _operator_clients(self, clients: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The administrator that let us in, unless the seed brings one of its own."""
        if any(client["kind"] == OPERATOR for client in clients):
            return []
        secrets_of = ("client_id", "client_secret", "organisation_id", "organisation_name", "roles", "kind")
        return [{"key": OPERATOR, "agency_code": "", **{name: self._bootstrap[name] for name in secrets_of}}]

    def _make(self, name: str, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = self._journal.request_id(name)
        return self._journal.once(name, lambda: dict(self._portolan.post(path, self._operator, asked, key=key)))


def seed(portolan: Portolan, home: Path, plan: SeedPlan) -> dict[str, Any]:
    bootstrap = json.loads((home / "bootstrap.json").read_text(encoding="utf-8"))
    content = Seeder(portolan, bootstrap, Journal(home / "seed-journal.json"), plan).run()
    demo_file.write(home, content)
    return content


def bring_in(portolan: Portolan, home: Path, pack: Path) -> bool:
    """True on the first start of that home; later the same people are there at a new address."""
    is_first = not demo_file.path(home).exists()
    if is_first:
        seed(portolan, home, load(pack))
    else:
        demo_file.move(home, portolan.base_url)
    keep_receipt_keys(portolan, home)
    return is_first


def keep_receipt_keys(portolan: Portolan, home: Path) -> None:
    """So that a receipt can be verified when nothing runs any more."""
    keys = portolan.get("/.well-known/receipt-keys.json")
    secret_file.write_json(home / "receipt-keys.json", keys, secret_file.EVERYONE_READS)


def _members(entry: Entry, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: entry[name] for name in names if entry.get(name) is not None}


def _period(entry: Entry) -> dict[str, str]:
    """A day stands for its first moment, or for its last one."""
    return {
        name: entry[name] if "T" in entry[name] else entry[name] + time
        for name, time in DAY_TIMES.items()
        if entry.get(name)
    }


def _of_organisation(organisation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "organisation_id": organisation["id"],
        "organisation_name": organisation["name"],
        "organisation_key": organisation["key"],
        "kind": organisation["kind"],
        "agency_code": organisation["agency_code"],
        "language": organisation["language"],
    }
