"""The demonstration that the default pack describes is one that identity accepts."""

from datetime import datetime
from typing import Any

import pytest
import yaml
from identity.actions import mandates, organisations, people
from identity.actions.packs import load
from identity.domain.mandates import Wish
from identity.domain.organisations import Organisation
from identity.domain.people import Client, User
from identity.main import country_rules
from kit.database import Database
from packs.reader import default_pack_path, read

from tests.identity.builders import PASSWORD, House, a_house, an_organisation, asked

pytestmark = pytest.mark.service("identity")


async def test_the_default_packs_demonstration_is_accepted(service_database: Database) -> None:
    path = default_pack_path()
    pack = read(path)
    house = await a_house(service_database)
    await load(house.db, pack.name, pack.version, pack.effective_from, country_rules(pack))
    demo = yaml.safe_load((path / "demo" / "seed.yaml").read_text("utf-8"))
    bodies = {one["key"]: await admit(house, one) for one in demo["organisations"]}
    known = {one["email"]: await enrol(house, bodies, one) for one in demo["users"]}
    for one in demo["clients"]:
        wanted = Client(
            "", bodies[one["organisation"]].id, one["name"], tuple(one["roles"]), known[one["responsible"]].id
        )
        new = await people.register_client(house.db, house.vault, asked(), wanted)
        assert new.secret
    for one in demo["mandates"]:
        await mandates.grant(house.db, house.vault, asked(), a_wish(bodies, one))
    assert await house.count("mandates") == len(demo["mandates"])


async def admit(house: House, one: dict[str, Any]) -> Organisation:
    fields = ("name", "company_number", "agency_code", "language", "billing_mode")
    values: dict[str, Any] = {"company_number": "", "agency_code": "", "attributes": tuple(one["attributes"])}
    wanted = an_organisation(one["kind"], **(values | {name: one[name] for name in fields if name in one}))
    return await organisations.register(house.db, house.vault, asked(), wanted)


async def enrol(house: House, bodies: dict[str, Organisation], one: dict[str, Any]) -> User:
    wanted = User("", bodies[one["organisation"]].id, one["email"], one["name"], one["language"], tuple(one["roles"]))
    return await people.register_user(house.db, house.vault, house.passwords, asked(), wanted, PASSWORD)


def a_wish(bodies: dict[str, Organisation], one: dict[str, Any]) -> Wish:
    return Wish(
        principal_organisation_id=bodies[one["principal"]].id,
        agent_organisation_id=bodies[one["agent"]].id,
        powers=tuple(one["powers"]),
        document_types=tuple(one["document_types"]),
        valid_from=at_dawn(one["valid_from"]),
        valid_to=at_dawn(one["valid_to"]),
    )


def at_dawn(day: Any) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")
