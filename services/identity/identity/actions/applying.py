"""Companies sign up by themselves, and are admitted by the document that they were asked for."""

from dataclasses import replace
from datetime import timedelta

from kit import clock, ids, telemetry
from kit.database import Database, Tx
from kit.errors import Busy, Conflict, Invalid
from kit.sealing import Sealer

from identity.actions import facts, invitations, packs
from identity.domain import applications
from identity.domain.applications import (
    ADMITTED_ROLES,
    APPLICANT_ROLE,
    UNCONFIRMED_DAYS,
    Admission,
    Application,
    applicant,
    checked,
    first_person,
    turned_away,
)
from identity.domain.invitations import BY_SIGNING_UP
from identity.domain.organisations import APPLICANT, Organisation
from identity.store import applicants, organisations, people


async def sign_up(db: Database, sealer: Sealer, asked: Application) -> None:
    """A letter goes to the address, or none does; who asks is told neither. Raises Invalid for what cannot be."""
    async with db.connection() as connection:
        asked = checked(asked, await packs.rules_in_force(connection))
    try:
        async with db.transaction() as tx:
            await _let_apply(tx, sealer, asked)
    except Busy:
        telemetry.log().info("sign_up_unanswered", reason="the address was written to often enough today")


async def _let_apply(tx: Tx, sealer: Sealer, asked: Application) -> None:
    """Again, before anybody has come in: the letter is sent again. Who has an account signs in with it."""
    await applicants.lock(tx, asked.email)
    if await people.user_by_email(tx, asked.email) is not None:
        return
    organisation = await applicants.waiting_for(tx, asked.company_number, asked.kind, asked.email)
    if organisation is None:
        organisation = applicant(ids.new_id(), asked)
        await applicants.add(tx, organisation, clock.now())
    await organisations.locked(tx, organisation.id)
    await invitations.send(tx, sealer, organisation, ids.new_id(), first_person(organisation, asked), BY_SIGNING_UP)


async def admit(tx: Tx, admission: Admission) -> None:
    """Told twice, or of one that is no applicant (any more), it changes nothing."""
    organisation = await organisations.locked(tx, admission.organisation_id)
    if organisation is None or organisation.state != APPLICANT:
        return
    try:
        wanted = applications.admitted(organisation, admission, await packs.rules_in_force(tx), clock.now())
        async with tx.transaction():
            await applicants.save(tx, wanted)
    except (Conflict, Invalid) as refusal:
        telemetry.log().error("admission_impossible", organisation_id=organisation.id, reason=str(refusal))
        await applicants.save(tx, turned_away(organisation))
        return
    await _promote(tx, wanted)
    await facts.organisation_activated(tx, wanted)


async def _promote(tx: Tx, organisation: Organisation) -> None:
    """Tokens of before go on saying applicant, which is less; the next ones say what they may do now."""
    for user in await people.users_with_role(tx, organisation.id, APPLICANT_ROLE):
        await people.set_standing(tx, replace(user, roles=ADMITTED_ROLES))
    await applicants.end_invitations(tx, organisation.id, clock.now())


async def forget_unconfirmed(db: Database) -> None:
    async with db.transaction() as tx:
        now = clock.now()
        await applicants.forget(tx, now - timedelta(days=UNCONFIRMED_DAYS), now)
