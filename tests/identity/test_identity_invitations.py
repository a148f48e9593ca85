"""Nobody acts for another: people come in by their own token, and answer for machines they know of."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from identity.actions import invitations, people
from identity.domain import invitations as rules
from identity.domain.invitations import PER_ADDRESS_AND_DAY_MAX, TRIES_MAX, VALID_DAYS, Invitation
from identity.domain.organisations import Organisation
from identity.domain.people import User
from kit import clock
from kit.auth import Principal
from kit.errors import Busy, Conflict, Forbidden, Invalid, NotFound, Refused, Unauthenticated
from kit.sealing import Sealer
from portolan.identity.v1 import events_pb2

from tests.identity.builders import PASSWORD, House, a_client, a_user, acting, asked, in_person

pytestmark = pytest.mark.service("identity")

THEIR_OWN = "chosen by myself alone"


async def invite(house: House, organisation: Organisation, *roles: str, **changes: Any) -> Invitation:
    by = asked(acting(organisation, "org_admin"))
    wanted = a_user(organisation, *roles, **changes)
    return await invitations.invite(house.db, house.vault, house.sealer, by, wanted)


async def letters(house: House) -> list[events_pb2.PersonInvited]:
    async with house.db.connection() as connection:
        cursor = await connection.execute("select payload from outbox where type like '%PersonInvited' order by id")
        return [events_pb2.PersonInvited.FromString(row[0]) for row in await cursor.fetchall()]


async def token_of(house: House, invitation: Invitation) -> str:
    letter = next(one for one in await letters(house) if one.recipient_id == invitation.id)
    token = house.sealer.open(letter.sealed_token, invitation.id)
    assert token is not None
    return token


async def accept(house: House, token: str, password: str = THEIR_OWN) -> User:
    return await invitations.accept(house.db, house.passwords, token, password)


async def test_a_person_comes_in_by_the_token_and_the_own_password(house: House) -> None:
    ministry = await house.organisation("agency")
    invitation = await invite(house, ministry, "agency_officer", email="Driss@agency.example")
    user = await accept(house, await token_of(house, invitation))
    assert (user.organisation_id, user.roles, user.email) == (ministry.id, ("agency_officer",), "driss@agency.example")
    token = await house.desk.sign_in("driss@agency.example", THEIR_OWN)
    assert token.scope == "agency_officer"


async def test_the_token_is_nowhere_in_clear(house: House) -> None:
    invitation = await invite(house, await house.organisation("agency"), "agency_officer")
    token = await token_of(house, invitation)
    secret = token.partition(".")[2]
    async with house.db.connection() as connection:
        for table in ("invitations", "outbox", "requests"):
            cursor = await connection.execute(f"select row_to_json(t)::text from {table} t")  # noqa: S608
            rows = " ".join(row[0] for row in await cursor.fetchall())
            assert secret not in rows
            assert secret.encode().hex() not in rows
    letter = (await letters(house))[0]
    assert house.sealer.open(letter.sealed_token, "another") is None
    assert Sealer("another secret").open(letter.sealed_token, invitation.id) is None


async def test_the_same_acceptance_again_is_the_same_person_and_another_password_is_not(house: House) -> None:
    token = await token_of(house, await invite(house, await house.organisation("importer"), "declarant"))
    first = await accept(house, token)
    assert await accept(house, token) == first
    with pytest.raises(NotFound, match="INVITATION_INVALID"):
        await accept(house, token, PASSWORD)
    assert (await house.desk.sign_in(first.email, THEIR_OWN)).scope == "declarant"


async def test_twenty_acceptances_at_once_make_one_person(house: House) -> None:
    token = await token_of(house, await invite(house, await house.organisation("importer"), "declarant"))
    came = await asyncio.gather(*(accept(house, token) for _ in range(20)), return_exceptions=True)
    assert await house.count("users") == 1
    assert {one.id for one in came if isinstance(one, User)} <= {(await accept(house, token)).id}
    assert any(isinstance(one, User) for one in came)


async def test_a_wrong_secret_is_counted_and_then_the_token_is_void(house: House) -> None:
    invitation = await invite(house, await house.organisation("importer"), "declarant")
    token = await token_of(house, invitation)
    for _ in range(TRIES_MAX):
        with pytest.raises(NotFound, match="INVITATION_INVALID"):
            await accept(house, f"{invitation.id}.guess")
    with pytest.raises(NotFound, match="INVITATION_INVALID"):
        await accept(house, token)
    assert await house.count("users") == 0


@pytest.mark.parametrize("token", ["", ".", "x.y", "\x00.y", "ل.y", "x" * 300])
async def test_nonsense_is_no_token(house: House, token: str) -> None:
    with pytest.raises(NotFound, match="INVITATION_INVALID"):
        await accept(house, token)


async def test_a_token_ends_with_its_week(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await token_of(house, await invite(house, await house.organisation("importer"), "declarant"))
    later = clock.now() + timedelta(days=VALID_DAYS)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(NotFound, match="INVITATION_INVALID"):
        await accept(house, token)


async def test_a_later_invitation_replaces_the_earlier_and_a_revoked_one_is_void(house: House) -> None:
    importer = await house.organisation("importer")
    first = await invite(house, importer, "declarant", email="a@company.example")
    second = await invite(house, importer, "declarant", email="a@company.example")
    with pytest.raises(NotFound):
        await accept(house, await token_of(house, first))
    admin = acting(importer, "org_admin")
    assert (await invitations.revoke(house.db, admin, importer.id, second.id)).outcome == "REVOKED"
    assert (await invitations.revoke(house.db, admin, importer.id, second.id)).outcome == "REVOKED"
    with pytest.raises(NotFound):
        await accept(house, await token_of(house, second))


async def test_a_short_password_is_refused_and_the_token_still_good(house: House) -> None:
    token = await token_of(house, await invite(house, await house.organisation("importer"), "declarant"))
    with pytest.raises(Invalid, match="characters"):
        await accept(house, token, "short")
    await accept(house, token)


async def test_an_address_known_elsewhere_is_learnt_by_nobody_but_its_owner(house: House) -> None:
    importer, other = await house.organisation("importer"), await house.organisation("exporter")
    await house.user(other, "declarant", email="taken@company.example")
    invitation = await invite(house, importer, "declarant", email="taken@company.example")
    with pytest.raises(Conflict, match="USER_EXISTS"):
        await accept(house, await token_of(house, invitation))


async def test_nobodys_mailbox_is_filled_and_invitations_are_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer = await house.organisation("importer")
    for _ in range(PER_ADDRESS_AND_DAY_MAX):
        await invite(house, importer, "declarant", email="a@company.example")
    with pytest.raises(Busy):
        await invite(house, importer, "declarant", email="a@company.example")
    assert len(await letters(house)) == PER_ADDRESS_AND_DAY_MAX
    monkeypatch.setattr(invitations, "OPEN_MAX", 2)
    await invite(house, importer, "declarant")
    with pytest.raises(Refused, match="TOO_MANY_INVITATIONS"):
        await invite(house, importer, "declarant")


async def test_a_repeated_request_is_one_letter(house: House) -> None:
    importer = await house.organisation("importer")
    once, wanted = asked(acting(importer, "org_admin")), a_user(importer, "declarant")
    first, again = [await invitations.invite(house.db, house.vault, house.sealer, once, wanted) for _ in range(2)]
    assert first.id == again.id
    assert len(await letters(house)) == 1


async def test_another_organisations_invitations_are_not_there(house: House) -> None:
    importer, other = await house.organisation("importer"), await house.organisation("exporter")
    invitation = await invite(house, importer, "declarant")
    stranger = acting(other, "org_admin")
    with pytest.raises(NotFound):
        await invitations.revoke(house.db, stranger, other.id, invitation.id)
    with pytest.raises(Forbidden):
        await invitations.revoke(house.db, stranger, importer.id, invitation.id)


def a_machine_of(person: Principal) -> Principal:
    return replace(person, subject="some-machine")


async def test_an_agencys_administrator_cannot_sign_for_colleagues(house: House) -> None:
    """Two officers must sign; the administrator registers a machine for each and holds both secrets."""
    ministry = await house.organisation("agency")
    colleagues = [await house.user(ministry, "agency_officer") for _ in range(2)]
    admin = acting(ministry, "org_admin")
    for colleague in colleagues:
        new = await people.register_client(house.db, house.vault, asked(admin), a_client(colleague, "agency_officer"))
        with pytest.raises(Forbidden, match="CLIENT_UNCONFIRMED"):
            await house.desk.issue_token(new.client.id, new.secret, "")
        with pytest.raises(Unauthenticated):
            await house.desk.issue_token(new.client.id, "a guess", "")
        for stranger in (admin, in_person(colleagues[0] if colleague is colleagues[1] else colleagues[1])):
            with pytest.raises(NotFound):
                await people.confirm_client(house.db, stranger, new.client.id)
        with pytest.raises(Forbidden):
            await people.confirm_client(house.db, a_machine_of(in_person(colleague)), new.client.id)
        await people.confirm_client(house.db, in_person(colleague), new.client.id)
        assert (await house.desk.issue_token(new.client.id, new.secret, "")).scope == "agency_officer"


async def test_a_machine_that_administers_confirms_nothing_by_itself(house: House) -> None:
    """A machine with the administrator's role, registered for a colleague, registers a second one that signs."""
    ministry = await house.organisation("agency")
    colleague = await house.user(ministry, "agency_officer")
    by = asked(a_machine_of(in_person(colleague)))
    new = await people.register_client(house.db, house.vault, by, a_client(colleague, "agency_officer"))
    with pytest.raises(Forbidden, match="CLIENT_UNCONFIRMED"):
        await house.desk.issue_token(new.client.id, new.secret, "")


async def test_only_roles_that_sign_wait(house: House) -> None:
    importer = await house.organisation("importer")
    user = await house.user(importer, "declarant")
    new = await people.register_client(house.db, house.vault, asked(), a_client(user, "declarant"))
    assert (await house.desk.issue_token(new.client.id, new.secret, "")).scope == "declarant"
    assert {"type": "ClientAwaitsConfirmation", "key": importer.id} not in await house.said()


async def test_a_dismissed_person_and_their_machines_are_out(house: House) -> None:
    ministry = await house.organisation("agency")
    officer = await house.user(ministry, "agency_officer")
    machine = await people.register_client(
        house.db, house.vault, asked(in_person(officer)), a_client(officer, "agency_officer")
    )
    admin = acting(ministry, "org_admin")
    assert (await people.dismiss_user(house.db, admin, ministry.id, officer.id)).dismissed_at
    await people.dismiss_user(house.db, admin, ministry.id, officer.id)
    with pytest.raises(Unauthenticated):
        await house.desk.sign_in(officer.email, PASSWORD)
    with pytest.raises(Unauthenticated):
        await house.desk.issue_token(machine.client.id, machine.secret, "")
    assert [one["type"] for one in await house.said()].count("ClientRevoked") == 1
    assert await house.count("revocations") == 2


async def test_a_role_that_is_taken_away_is_taken_from_the_machines_that_sign_in_it(house: House) -> None:
    ministry = await house.organisation("agency")
    officer = await house.user(ministry, "agency_officer", "org_admin")
    signing, filing = [
        await people.register_client(house.db, house.vault, asked(in_person(officer)), a_client(officer, role))
        for role in ("agency_officer", "org_admin")
    ]
    await people.change_roles(house.db, acting(ministry, "org_admin"), ministry.id, officer.id, ("org_admin",))
    with pytest.raises(Unauthenticated):
        await house.desk.issue_token(signing.client.id, signing.secret, "")
    assert (await house.desk.issue_token(filing.client.id, filing.secret, "")).scope == "org_admin"


async def test_nobody_publishes_rules_by_a_colleagues_machine(house: House) -> None:
    operator = await house.organisation("operator")
    colleague = await house.user(operator, "rules_officer")
    by = asked(acting(operator, "operator_admin"))
    new = await people.register_client(house.db, house.vault, by, a_client(colleague, "rules_officer"))
    with pytest.raises(Forbidden, match="CLIENT_UNCONFIRMED"):
        await house.desk.issue_token(new.client.id, new.secret, "")


async def test_the_last_administrator_stays(house: House) -> None:
    importer = await house.organisation("importer")
    one, other = [await house.user(importer, "declarant", "org_admin") for _ in range(2)]
    by = in_person(one)
    await people.change_roles(house.db, by, importer.id, other.id, ("declarant",))
    with pytest.raises(Refused, match="LAST_ADMINISTRATOR"):
        await people.change_roles(house.db, by, importer.id, one.id, ("declarant",))
    with pytest.raises(Refused, match="LAST_ADMINISTRATOR"):
        await people.dismiss_user(house.db, by, importer.id, one.id)
    await people.change_roles(house.db, by, importer.id, other.id, ("org_admin",))
    await people.dismiss_user(house.db, by, importer.id, one.id)


async def test_two_administrators_cannot_dismiss_each_other_at_once(house: House) -> None:
    importer = await house.organisation("importer")
    pair = [await house.user(importer, "org_admin") for _ in range(2)]
    done = await asyncio.gather(
        *(people.dismiss_user(house.db, in_person(pair[1 - at]), importer.id, pair[at].id) for at in range(2)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["Refused", "User"]


def test_what_is_spent_is_neither_early_nor_late() -> None:
    now = clock.now()
    sent = rules.invited("i", User("", "o", "a@b.example", "A", "fr", ("declarant",)), "admin", now)
    invitation = sent.invitation
    assert invitation.state(now) == "OPEN"
    assert invitation.state(invitation.expires_at) == "EXPIRED"
    assert rules.token_parts(f" {sent.token}\n") == ("i", sent.token[2:])
    assert invitation.is_proven_by(sent.token[2:])
    assert not invitation.is_proven_by("")
