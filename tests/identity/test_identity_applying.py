"""A company comes in by itself: nothing is told to strangers, and it is admitted once, whatever is heard twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from identity import events
from identity.actions import applying, invitations, mandates, organisations, people
from identity.domain.applications import UNCONFIRMED_DAYS, Admission, Application
from identity.domain.invitations import PER_ADDRESS_AND_DAY_MAX
from identity.domain.mandates import Wish
from identity.domain.organisations import Organisation
from identity.domain.people import User
from kit import clock, ids
from kit.errors import Invalid, NotFound
from kit.events import Event
from portolan.intake.v1 import events_pb2

from tests.identity.builders import House, a_number, a_user, acting, asked
from tests.identity.test_identity_invitations import THEIR_OWN, accept, letters

pytestmark = pytest.mark.service("identity")


def an_application(**changes: Any) -> Application:
    values = {
        **{"company_number": a_number(), "kind": "importer", "company_name": "Newcomer", "language": "fr"},
        **{"email": f"{ids.new_id()}@newcomer.example", "person_name": "New Comer"},
    }
    return Application(**(values | changes))


async def sign_up(house: House, application: Application) -> None:
    await applying.sign_up(house.db, house.sealer, application)


async def came_in(house: House, application: Application) -> User:
    await sign_up(house, application)
    letter = (await letters(house))[-1]
    token = house.sealer.open(letter.sealed_token, letter.recipient_id)
    assert token is not None
    return await accept(house, token)


async def organisation_of(house: House, user: User) -> Organisation:
    async with house.db.connection() as connection:
        return await organisations.existing(connection, user.organisation_id)


def an_admission(organisation: Organisation, **changes: Any) -> Admission:
    values = {
        **{"organisation_id": organisation.id, "name": "Newcomer SA", "kind": organisation.kind},
        **{"company_number": organisation.company_number, "billing_mode": "subscriber"},
    }
    return Admission(**(values | changes))


async def admit(house: House, admission: Admission) -> None:
    said = events_pb2.OrganisationAdmitted(
        owner_organisation_id=admission.organisation_id,
        name=admission.name,
        kind=admission.kind,
        company_number=admission.company_number,
        billing_mode=admission.billing_mode,
    )
    said.admitted_at.FromDatetime(clock.now())
    kind = said.DESCRIPTOR.full_name
    event = Event(ids.new_id(), events.TOPICS[0], "document", kind, clock.now(), said.SerializeToString(), "")
    async with house.db.transaction() as tx:
        await events.admitted(tx, event, said)


async def test_an_applicant_is_nobody_but_itself_until_it_is_admitted(house: House) -> None:
    user = await came_in(house, an_application())
    organisation = await organisation_of(house, user)
    assert (organisation.state, organisation.activated_at, user.roles) == ("APPLICANT", None, ("applicant",))
    assert (await house.desk.sign_in(user.email, THEIR_OWN)).scope == "applicant"
    assert [one["type"] for one in await house.said()] == ["PersonInvited"]


async def test_it_is_admitted_as_its_document_says_once(house: House) -> None:
    user = await came_in(house, an_application())
    admission = an_admission(await organisation_of(house, user))
    await asyncio.gather(*(admit(house, admission) for _ in range(5)))
    organisation = await organisation_of(house, user)
    assert (organisation.state, organisation.name, organisation.billing_mode) == ("ACTIVE", "Newcomer SA", "subscriber")
    assert [one["type"] for one in await house.said()].count("OrganisationActivated") == 1
    assert (await house.desk.sign_in(user.email, THEIR_OWN)).scope == "declarant org_admin"


async def test_an_admission_changes_nobody_who_is_in_already(house: House) -> None:
    importer = await house.organisation("importer")
    await admit(house, an_admission(importer, name="Another name"))
    await admit(house, an_admission(importer, organisation_id="nobody"))
    async with house.db.connection() as connection:
        assert await organisations.existing(connection, importer.id) == importer


async def test_of_two_with_one_number_the_second_is_turned_away(house: House) -> None:
    number = a_number()
    users = [await came_in(house, an_application(company_number=number)) for _ in range(2)]
    for user in users:
        await admit(house, an_admission(await organisation_of(house, user)))
    states = [(await organisation_of(house, user)).state for user in users]
    assert states == ["ACTIVE", "REFUSED"]
    assert (await house.desk.sign_in(users[1].email, THEIR_OWN)).scope == "applicant"


async def test_a_document_that_says_what_cannot_be_admits_nobody(house: House) -> None:
    user = await came_in(house, an_application())
    await admit(house, an_admission(await organisation_of(house, user), company_number="1"))
    assert (await organisation_of(house, user)).state == "REFUSED"


async def test_signing_up_in_anothers_name_keeps_nobody_out(house: House) -> None:
    number = a_number()
    await came_in(house, an_application(company_number=number))
    assert (await house.organisation("importer", company_number=number)).state == "ACTIVE"


async def test_who_is_known_is_not_told(house: House) -> None:
    """The same answer, and a letter only where nobody has an account."""
    importer = await house.organisation("importer")
    known = await house.user(importer, "declarant", email="known@company.example")
    await sign_up(house, an_application(email=known.email))
    assert await letters(house) == []
    await sign_up(house, an_application(company_number=importer.company_number))
    assert len(await letters(house)) == 1


async def test_again_before_anybody_came_is_another_letter_not_another_company(house: House) -> None:
    application = an_application()
    for _ in range(PER_ADDRESS_AND_DAY_MAX + 3):
        await sign_up(house, application)
    assert len(await letters(house)) == PER_ADDRESS_AND_DAY_MAX
    assert await house.count("organisations") == 1
    user = await came_in(house, an_application())
    assert user.roles == ("applicant",)


async def test_twenty_sign_ups_at_once_are_one_company(house: House) -> None:
    application = an_application()
    await asyncio.gather(*(sign_up(house, application) for _ in range(20)))
    assert await house.count("organisations") == 1


@pytest.mark.parametrize(
    "changes",
    [
        *({"company_number": "123456789"}, {"company_number": ""}, {"kind": "bank"}, {"kind": "customs"}),
        *({"email": "nobody"}, {"language": "xx"}, {"company_name": " "}, {"person_name": "\x00"}),
    ],
)
async def test_what_cannot_be_is_refused_whoever_it_is(house: House, changes: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        await sign_up(house, an_application(**changes))
    assert await house.count("organisations") == 0


async def test_an_applicant_gets_no_mandate_no_role_and_no_place_in_the_directory(house: House) -> None:
    user = await came_in(house, an_application(kind="broker"))
    applicant, importer = await organisation_of(house, user), await house.organisation("importer")
    async with house.db.connection() as connection:
        seen = await organisations.page(connection, acting(importer, "declarant"), kind="", after="", limit=100)
        assert applicant.id not in {one.id for one in seen}
        with pytest.raises(NotFound):
            await organisations.visible(connection, acting(importer, "declarant"), applicant.id)
    wish = Wish(importer.id, applicant.id, ("file",), (), None, None)
    with pytest.raises(Invalid):
        await mandates.grant(house.db, house.vault, asked(acting(importer, "org_admin")), wish)
    with pytest.raises(Invalid):
        await invitations.invite(house.db, house.vault, house.sealer, asked(), a_user(applicant, "declarant"))
    with pytest.raises(Invalid):
        await people.register_user(
            house.db, house.vault, house.passwords, asked(), a_user(applicant, "org_admin"), THEIR_OWN
        )


async def test_whoever_never_came_is_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await sign_up(house, an_application())
    user = await came_in(house, an_application())
    await applying.forget_unconfirmed(house.db)
    assert await house.count("organisations") == 2
    async with house.db.connection() as connection:
        await connection.execute("update invitations set invited_at = now() - interval '30 days'")
        await connection.execute("update invitations set expires_at = now() - interval '20 days'")
    later = clock.now() + timedelta(days=UNCONFIRMED_DAYS + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    await applying.forget_unconfirmed(house.db)
    assert await house.count("organisations") == 1
    assert (await organisation_of(house, user)).state == "APPLICANT"
