"""People are invited, and come in by what was sent to their address."""

from dataclasses import asdict, replace
from datetime import timedelta

from kit import clock, ids
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Busy, NotFound, Refused
from kit.sealing import Sealer

from identity.actions import facts, packs
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked, answered, request
from identity.actions.vault import Vault
from identity.domain import access
from identity.domain.invitations import (
    ACCEPTED,
    BY_SIGNING_UP,
    OPEN_MAX,
    PER_ADDRESS_AND_DAY_MAX,
    REPLACED,
    REVOKED,
    Invitation,
    check_invited,
    invited,
    token_parts,
)
from identity.domain.organisations import Organisation
from identity.domain.people import User, check_password, email_address
from identity.store import invitations as store
from identity.store import organisations as organisation_rows
from identity.store import people as people_rows

INVITATION_CHARS_MAX = 128
ONE_DAY = timedelta(days=1)
RETRY_AFTER_S = 3_600


async def invite(db: Database, vault: Vault, sealer: Sealer, asked: Asked, wanted: User) -> Invitation:
    """An earlier invitation of the same address, still open, is replaced: its token is void."""
    access.require_management(asked.by, wanted.organisation_id)
    wish = request(vault, asked, "invite_user", asdict(wanted) | {"id": "", "dismissed_at": ""})
    wanted = replace(wanted, email=email_address(wanted.email) or "")
    async with db.transaction() as tx:
        organisation = await _organisation(tx, wanted.organisation_id)
        check_invited(wanted, organisation, await packs.rules_in_force(tx))
        invitation_id = ids.new_id()
        earlier = await answered(tx, wish, invitation_id, clock.now())
        if earlier is not None:
            return await _existing(tx, earlier)
        return await send(tx, sealer, organisation, invitation_id, wanted, asked.by.person)


async def send(
    tx: Tx, sealer: Sealer, organisation: Organisation, invitation_id: str, wanted: User, by: str
) -> Invitation:
    now = clock.now()
    sent = invited(invitation_id, wanted, by, now)
    await _make_room(tx, sent.invitation)
    await store.add(tx, sent.invitation)
    await facts.person_invited(tx, organisation, sent.invitation, sealer.seal(sent.token, invitation_id))
    return sent.invitation


async def _organisation(tx: Tx, organisation_id: str) -> Organisation:
    organisation = await organisation_rows.locked(tx, organisation_id)
    if organisation is None:
        raise NotFound("NOT_FOUND", "no such organisation")
    return organisation


async def _make_room(tx: Tx, invitation: Invitation) -> None:
    """Under the organisation's lock. Raises Busy or Refused."""
    now = invitation.invited_at
    by_signing_up = invitation.invited_by == BY_SIGNING_UP
    sent = await store.sent_since(tx, invitation.email, now - ONE_DAY, by_signing_up=by_signing_up)
    if sent >= PER_ADDRESS_AND_DAY_MAX:
        raise Busy(
            "RATE_LIMITED", "this address was written to often enough today", facts={"retry_after_seconds": "3600"}
        )
    if await store.open_ones(tx, invitation.organisation_id, now) >= OPEN_MAX:
        raise Refused("TOO_MANY_INVITATIONS", f"at most {OPEN_MAX} invitations are open at once")
    open_one = await store.open_for(tx, invitation.organisation_id, invitation.email)
    if open_one is not None:
        await store.end(tx, open_one.ended(REPLACED, now))


async def accept(db: Database, passwords: Passwords, token: str, password: str) -> User:
    """Unknown, spent, revoked, and not proven by this token: one answer for all."""
    invitation = await _proven(db, token)
    if invitation.user_id is not None:
        return await _same_person(db, passwords, invitation, password)
    check_password(password)
    password_hash = await passwords.hash(password)
    async with db.transaction() as tx:
        await organisation_rows.locked(tx, invitation.organisation_id)
        invitation = await store.locked(tx, invitation.id) or invitation
        if invitation.state(clock.now()) != "OPEN":
            raise _invalid()
        user = invitation.person(ids.new_id())
        await people_rows.add_user(tx, user, password_hash, clock.now())
        await store.end(tx, invitation.ended(ACCEPTED, clock.now(), user.id))
        return user


async def _proven(db: Database, token: str) -> Invitation:
    """Open, or accepted by this very token. Raises NotFound; a wrong secret is counted."""
    invitation_id, secret = token_parts(token)
    if not invitation_id.isascii() or not invitation_id.isprintable() or len(invitation_id) > INVITATION_CHARS_MAX:
        raise _invalid()
    async with db.connection() as connection:
        invitation = await store.by_id(connection, invitation_id)
    if invitation is None or invitation.is_spent(clock.now()) or invitation.outcome not in ("", ACCEPTED):
        raise _invalid()
    if not invitation.is_proven_by(secret):
        async with db.transaction() as tx:
            await store.count_failure(tx, invitation.id)
        raise _invalid()
    return invitation


async def _same_person(db: Database, passwords: Passwords, invitation: Invitation, password: str) -> User:
    """A repetition, for whoever lost the answer: only with the password that was chosen then."""
    async with db.connection() as connection:
        stored = await people_rows.password_hash(connection, invitation.user_id or "")
        user = await people_rows.user_by_id(connection, invitation.user_id or "")
    if user is None or not await passwords.verify(password, stored):
        raise _invalid()
    return user


def _invalid() -> NotFound:
    return NotFound("INVITATION_INVALID", "this invitation is unknown, used, withdrawn or too old")


async def revoke(db: Database, by: Principal, organisation_id: str, invitation_id: str) -> Invitation:
    """A second revocation changes nothing; what was accepted stays accepted."""
    access.require_management(by, organisation_id)
    async with db.transaction() as tx:
        invitation = await store.locked(tx, invitation_id)
        if invitation is None or invitation.organisation_id != organisation_id:
            raise NotFound("NOT_FOUND", "no such invitation")
        if invitation.outcome == ACCEPTED:
            raise Refused("INVALID_TRANSITION", "the invitation was accepted")
        if not invitation.outcome:
            invitation = invitation.ended(REVOKED, clock.now())
            await store.end(tx, invitation)
        return invitation


async def _existing(tx: Tx, invitation_id: str) -> Invitation:
    invitation = await store.by_id(tx, invitation_id)
    if invitation is None:
        raise NotFound("NOT_FOUND", "no such invitation")
    return invitation


async def page(tx: Tx, by: Principal, organisation_id: str, *, after: str, limit: int) -> list[Invitation]:
    access.require_management(by, organisation_id)
    return await store.page(tx, organisation_id, after=after, limit=limit)
