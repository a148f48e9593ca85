"""Organisations enter the single window."""

from dataclasses import asdict, replace

from kit import clock, ids
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound

from identity.actions import facts, packs
from identity.actions.requests import Asked, answered, request
from identity.actions.vault import Vault
from identity.domain import access
from identity.domain.organisations import TRADERS, CountryRules, Kind, Organisation, registered
from identity.store import organisations


async def register(db: Database, vault: Vault, asked: Asked, wanted: Organisation) -> Organisation:
    asked.by.require(access.OPERATOR)
    content = asdict(wanted) | {"id": "", "activated_at": "", "state": ""}
    wish = request(vault, asked, "register_organisation", content)
    async with db.transaction() as tx:
        now = clock.now()
        organisation = replace(wanted, id=ids.new_id(), activated_at=now)
        earlier = await answered(tx, wish, organisation.id, now)
        if earlier is not None:
            return await existing(tx, earlier)
        return await found(tx, organisation, await packs.rules_in_force(tx))


async def found(tx: Tx, organisation: Organisation, rules: CountryRules) -> Organisation:
    organisation = registered(organisation, rules)
    await organisations.add(tx, organisation)
    await facts.organisation_activated(tx, organisation)
    return organisation


async def existing(tx: Tx, organisation_id: str) -> Organisation:
    organisation = await organisations.by_id(tx, organisation_id)
    if organisation is None:
        raise NotFound("NOT_FOUND", "no such organisation")
    return organisation


async def visible(tx: Tx, by: Principal, organisation_id: str) -> Organisation:
    """Raises NotFound also for what is not the caller's to know."""
    organisation = await existing(tx, organisation_id)
    is_connected = await organisations.are_connected(tx, by.organisation_id, organisation_id)
    if not access.may_see(by, organisation, is_connected):
        raise NotFound("NOT_FOUND", "no such organisation")
    return organisation


async def traders(tx: Tx, company_number: str) -> list[Organisation]:
    """Those that bear the number, however it was written."""
    number = (await packs.rules_in_force(tx)).company_number(company_number)
    kinds = [kind for kind in Kind if kind in TRADERS]
    return await organisations.by_company_number(tx, number, kinds) if number else []


async def page(tx: Tx, by: Principal, *, kind: str, after: str, limit: int) -> list[Organisation]:
    if access.sees_every_organisation(by):
        return await organisations.page(tx, kind=kind, after=after, limit=limit)
    return await organisations.page_visible_to(tx, by.organisation_id, kind=kind, after=after, limit=limit)
