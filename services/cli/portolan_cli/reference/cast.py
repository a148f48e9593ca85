"""Everybody who acts in a run: the generated companies, and two officers for every agency that may be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packs import Pack

from portolan_cli import demo_file
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo, NoSuchActor
from portolan_cli.generation import Company
from portolan_cli.seeding.journal import Journal
from portolan_cli.seeding.plan import SeedPlan
from portolan_cli.seeding.seeder import Seeder

OFFICER_ROLES = {
    "agency": "agency_officer",
    "laboratory": "agency_officer",
    "bank": "bank_officer",
    "customs": "customs_officer",
}
# A pack tells more kinds of body apart than the window does.
KINDS = {"laboratory": "agency"}
ORGANISATION_KINDS = frozenset(OFFICER_ROLES)
OFFICERS = 2
VALIDITY = {"valid_from": "2020-01-01", "valid_to": "2039-12-31"}
BOOKKEEPER = "finance"


@dataclass(frozen=True)
class Cast:
    """`traders` by company key; `officers` by agency code, two of each where the pack has an agency."""

    traders: Mapping[str, Actor]
    officers: Mapping[str, Sequence[Actor]]
    finance: Actor

    @property
    def organisations(self) -> dict[str, str]:
        """Who acts for which agency."""
        return {code: actors[0].organisation_id for code, actors in self.officers.items()}


def gather(portolan: Portolan, home: Path, pack: Pack, companies: Sequence[Company], name: str) -> Cast:
    """Through the operator's own door; again under the same name it is the same people."""
    demo = demo_file.read(demo_file.path(home))
    wanted = _plan(pack, companies, demo)
    bootstrap = json.loads((home / "bootstrap.json").read_text(encoding="utf-8"))
    made = demo_file.from_content(Seeder(portolan, bootstrap, Journal(home / f"cast-{name}.json"), wanted).run())
    return Cast(
        traders={company.key: made.actor(organisation_key=company.key) for company in companies},
        officers={code: _officers(code, demo, made) for code in _codes(pack)},
        finance=demo.actor(kind=BOOKKEEPER),
    )


def _codes(pack: Pack) -> list[str]:
    return [agency.code for agency in pack.agencies.values() if agency.kind in ORGANISATION_KINDS]


def _officers(code: str, *casts: Demo) -> list[Actor]:
    return [actor for known in casts for actor in _acting(code, known)]


def _acting(code: str, demo: Demo) -> list[Actor]:
    found: list[Actor] = []
    while True:
        try:
            found.append(demo.actor(agency_code=code, nth=len(found) + 1))
        except NoSuchActor:
            return found


def _plan(pack: Pack, companies: Sequence[Company], demo: Demo) -> SeedPlan:
    """Companies with one person each; agencies with as many officers as they lack."""
    known = {code: _acting(code, demo) for code in _codes(pack)}
    lacking = [code for code, officers in known.items() if len(officers) < OFFICERS]
    organisations = [_trader(company) for company in companies]
    organisations += [_agency(pack, code, known[code]) for code in lacking]
    people = [_person(company.key, 1, ["declarant", "org_admin"]) for company in companies]
    people += [
        _person(code, number, [OFFICER_ROLES[pack.agencies[code].kind]])
        for code in lacking
        for number in range(len(known[code]) + 1, OFFICERS + 1)
    ]
    clients = [
        {"organisation": one["organisation"], "name": one["key"], "roles": one["roles"], "responsible": one["email"]}
        for one in people
    ]
    return SeedPlan(organisations, people, clients, _mandates(pack, companies))


def _trader(company: Company) -> dict[str, Any]:
    names = ("key", "name", "kind", "company_number", "language", "billing_mode")
    return {name: getattr(company, name) for name in names} | {"attributes": list(company.attributes)}


def _agency(pack: Pack, code: str, officers: Sequence[Actor]) -> dict[str, Any]:
    """The demo's own, where it has one."""
    entry: dict[str, Any] = {"key": code, "agency_code": code}
    for one in officers:
        return entry | {
            "id": one.organisation_id,
            "name": one.organisation_name,
            "kind": one.kind,
            "language": one.language,
        }
    agency = pack.agencies[code]
    name = pack.label(agency.labels, pack.default_language)
    return entry | {"name": name, "kind": KINDS.get(agency.kind, agency.kind), "language": pack.default_language}


def _person(organisation: str, number: int, roles: list[str]) -> dict[str, Any]:
    key = f"{organisation.lower()}-{number}"
    return {
        "organisation": organisation,
        "key": key,
        "email": f"{key}@window.example",
        "name": f"{organisation} {number}",
        "roles": roles,
    }


def _mandates(pack: Pack, companies: Sequence[Company]) -> list[dict[str, Any]]:
    brokers = [company for company in companies if company.kind == "broker"]
    return [
        {"principal": company.key, "agent": broker.key, "powers": ["file", "amend", "withdraw"]}
        | {"document_types": list(pack.document_types), **VALIDITY}
        for company in companies
        if company.kind != "broker"
        for broker in brokers
    ]
