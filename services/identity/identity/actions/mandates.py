"""A trader authorises a broker, takes the authority back, and whoever must know asks whether it stands."""

from dataclasses import asdict, dataclass

from kit import clock, ids
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound, Refused

from identity.actions import facts
from identity.actions.requests import Asked, answered, request
from identity.actions.vault import Vault
from identity.domain import access
from identity.domain.mandates import Mandate, Wish, check_grant
from identity.domain.organisations import Organisation
from identity.store import mandates, organisations


@dataclass(frozen=True, slots=True)
class Verdict:
    """`mandate` is None when nothing allows it; `principal` is told only when something does."""

    mandate: Mandate | None
    principal: Organisation | None


async def grant(db: Database, vault: Vault, asked: Asked, wanted: Wish) -> Mandate:
    access.require_own_mandates(asked.by, wanted.principal_organisation_id)
    wish = request(vault, asked, "grant_mandate", asdict(wanted))
    async with db.transaction() as tx:
        mandate = wanted.granted(ids.new_id(), clock.now(), asked.by.subject)
        earlier = await answered(tx, wish, mandate.id, mandate.granted_at)
        if earlier is not None:
            return await _existing(tx, earlier)
        await _check(tx, mandate)
        await mandates.add(tx, mandate)
        await facts.mandate_granted(tx, mandate)
        return mandate


async def _check(tx: Tx, mandate: Mandate) -> None:
    principal = await organisations.locked(tx, mandate.principal_organisation_id)
    check_grant(mandate, principal, await organisations.by_id(tx, mandate.agent_organisation_id))
    ids_of_both = (mandate.principal_organisation_id, mandate.agent_organisation_id)
    if len(await mandates.standing(tx, *ids_of_both, mandate.granted_at)) >= mandates.STANDING_MAX:
        raise Refused("TOO_MANY_MANDATES", f"at most {mandates.STANDING_MAX} mandates stand between the same two")


async def _existing(tx: Tx, mandate_id: str) -> Mandate:
    mandate = await mandates.by_id(tx, mandate_id)
    if mandate is None:
        raise NotFound("NOT_FOUND", "no such mandate")
    return mandate


async def revoke(db: Database, by: Principal, principal_id: str, mandate_id: str) -> Mandate:
    """A second revocation changes nothing and says nothing. `principal_id`, when given, must be the mandate's."""
    async with db.transaction() as tx:
        mandate = await _existing(tx, mandate_id)
        if principal_id not in ("", mandate.principal_organisation_id):
            raise NotFound("NOT_FOUND", "no such mandate")
        access.require_revocable(by, mandate)
        await organisations.locked(tx, mandate.principal_organisation_id)
        mandate = await _existing(tx, mandate_id)
        return mandate if mandate.revoked_at else await _withdraw(tx, mandate, by)


async def _withdraw(tx: Tx, mandate: Mandate, by: Principal) -> Mandate:
    revoked = mandate.revoked(clock.now(), by.subject)
    await mandates.save_revocation(tx, revoked)
    await facts.mandate_revoked(tx, revoked)
    return revoked


async def check(tx: Tx, principal_id: str, agent_id: str, power: str, document_type: str) -> Verdict:
    now = clock.now()
    for mandate in await mandates.standing(tx, principal_id, agent_id, now):
        if mandate.allows(power, document_type, now):
            return Verdict(mandate, await organisations.by_id(tx, principal_id))
    return Verdict(None, None)


async def page(tx: Tx, by: Principal, organisation_id: str, *, after: str, limit: int) -> list[Mandate]:
    access.require_own_mandates(by, organisation_id)
    return await mandates.page(tx, organisation_id, after=after, limit=limit)
