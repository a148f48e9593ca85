"""What identity does, on a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from identity.actions import bootstrap, invitations, mandates, organisations, packs, people, revocations
from identity.domain.mandates import Mandate, Wish
from identity.domain.organisations import Organisation
from kit import clock
from kit.auth import Principal
from kit.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Refused, Unauthenticated, Unavailable

from tests.identity.builders import (
    OPERATOR,
    PASSWORD,
    RULES,
    ZEROS,
    House,
    a_client,
    a_number,
    a_user,
    acting,
    an_organisation,
    asked,
)

pytestmark = [
    pytest.mark.service("identity"),
]

HOUR = timedelta(hours=1)


async def test_a_registered_organisation_is_said_once(house: House) -> None:
    made = await house.organisation("importer", attributes=("approved_operator",))
    async with house.db.connection() as connection:
        assert await organisations.existing(connection, made.id) == made
    assert await house.said() == [{"type": "OrganisationActivated", "key": made.id}]


async def test_the_same_request_is_the_same_organisation(house: House) -> None:
    wanted, once = an_organisation(), asked()
    first = await organisations.register(house.db, house.vault, once, wanted)
    again = await organisations.register(house.db, house.vault, once, replace(wanted, activated_at=clock.now()))
    assert first == again
    assert len(await house.said()) == 1


async def test_the_same_request_twenty_times_at_once_is_one_organisation(house: House) -> None:
    wanted, once = an_organisation(), asked()
    made = await asyncio.gather(*(organisations.register(house.db, house.vault, once, wanted) for _ in range(20)))
    assert len({one.id for one in made}) == 1
    assert await house.count("organisations") == 1
    assert len(await house.said()) == 1


async def test_another_content_under_a_used_request_id_is_refused(house: House) -> None:
    once = asked()
    organisation = await organisations.register(house.db, house.vault, once, an_organisation())
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await organisations.register(house.db, house.vault, once, an_organisation())
    user = replace(await house.user(organisation, "declarant"), email="other@company.example")
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await people.register_user(house.db, house.vault, house.passwords, once, user, PASSWORD)


async def test_two_organisations_may_choose_the_same_request_id(house: House) -> None:
    made = [await house.organisation("importer") for _ in range(2)]
    for organisation in made:
        by = asked(acting(organisation, "org_admin"), "request-1")
        await invitations.invite(house.db, house.vault, house.sealer, by, a_user(organisation, "declarant"))
    assert await house.count("invitations") == 2


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
async def test_a_write_needs_a_request_id(house: House, request_id: str) -> None:
    once = replace(asked(), request_id=request_id)
    with pytest.raises(Malformed):
        await organisations.register(house.db, house.vault, once, an_organisation())


async def test_a_refused_request_leaves_its_id_free(house: House) -> None:
    once = asked()
    with pytest.raises(Invalid):
        await organisations.register(house.db, house.vault, once, an_organisation(company_number=ZEROS))
    await organisations.register(house.db, house.vault, once, an_organisation())


async def test_all_zeros_are_nobodys_number(house: House) -> None:
    with pytest.raises(Invalid) as error:
        await house.organisation("importer", company_number=ZEROS)
    assert error.value.violations[0].pointer == "/company_number"
    assert await house.count("organisations") == 0


async def test_a_number_and_a_code_belong_to_one(house: House) -> None:
    number = a_number()
    await house.organisation("importer", company_number=number)
    await house.organisation("exporter", company_number=number)
    await house.organisation("agency")
    for kind, changes in (("importer", {"company_number": number}), ("agency", {"agency_code": "TRADE"})):
        with pytest.raises(Conflict):
            await house.organisation(kind, **changes)
    assert await house.count("organisations") == 3


async def test_only_the_operator_registers_organisations(house: House) -> None:
    importer = await house.organisation("importer")
    for role in ("org_admin", "declarant", "customs_officer"):
        with pytest.raises(Forbidden):
            await organisations.register(house.db, house.vault, asked(acting(importer, role)), an_organisation())


async def test_without_a_pack_nobody_is_registered(house: House) -> None:
    async with house.db.transaction() as tx:
        await tx.execute("delete from pack_versions")
    with pytest.raises(Unavailable, match="PACK_NOT_LOADED"):
        await house.organisation()


async def test_a_pack_version_is_loaded_once_and_never_changes(house: House) -> None:
    await packs.load(house.db, "testland", "1", date(2020, 1, 1), RULES)
    stricter = replace(RULES, languages=frozenset({"fr"}))
    with pytest.raises(Conflict, match="PACK_VERSION_TAKEN"):
        await packs.load(house.db, "testland", "1", date(2020, 1, 1), stricter)
    await packs.load(house.db, "testland", "2", date(2021, 1, 1), stricter)
    await packs.load(house.db, "testland", "3", date(2999, 1, 1), RULES)
    with pytest.raises(Invalid):
        await house.organisation(language="en")


async def test_an_administrator_manages_the_own_organisation_only(house: House) -> None:
    own, other = await house.organisation("importer"), await house.organisation("exporter")
    admin = acting(own, "org_admin")

    async def invite(organisation: Organisation, by: Principal = admin) -> None:
        await invitations.invite(house.db, house.vault, house.sealer, asked(by), a_user(organisation, "declarant"))

    await invite(own)
    await people.register_client(
        house.db, house.vault, asked(admin), a_client(await house.user(own, "declarant"), "declarant")
    )
    with pytest.raises(Forbidden):
        await invite(other)
    with pytest.raises(Forbidden):
        await invite(own, acting(own, "declarant"))
    theirs = await house.user(other, "declarant")
    with pytest.raises(Forbidden):
        await people.register_client(house.db, house.vault, asked(admin), a_client(theirs, "declarant"))


async def test_an_administrator_gives_no_role_beyond_the_kind(house: House) -> None:
    importer = await house.organisation("importer")
    for role in ("operator_admin", "customs_officer", "service"):
        wanted = a_user(importer, role)
        by = asked(acting(importer, "org_admin"))
        with pytest.raises(Invalid):
            await invitations.invite(house.db, house.vault, house.sealer, by, wanted)
        with pytest.raises(Forbidden):
            await people.register_user(house.db, house.vault, house.passwords, by, wanted, PASSWORD)


async def test_an_address_is_registered_once_whatever_its_case(house: House) -> None:
    importer = await house.organisation("importer")
    await house.user(importer, "declarant", email="Some.Body@company.example")
    with pytest.raises(Conflict, match="USER_EXISTS"):
        await house.user(importer, "declarant", email="some.body@COMPANY.example")


async def test_a_repeated_registration_of_a_user_needs_the_same_password(house: House) -> None:
    wanted, once = a_user(await house.organisation("importer"), "declarant"), asked()
    first = await people.register_user(house.db, house.vault, house.passwords, once, wanted, PASSWORD)
    assert await people.register_user(house.db, house.vault, house.passwords, once, wanted, PASSWORD) == first
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await people.register_user(house.db, house.vault, house.passwords, once, wanted, PASSWORD + "!")


async def test_a_secret_is_shown_once_and_never_stored(house: House) -> None:
    importer = await house.organisation("importer")
    user, once = await house.user(importer, "declarant"), asked()
    first = await people.register_client(house.db, house.vault, once, a_client(user, "declarant"))
    again = await people.register_client(house.db, house.vault, once, a_client(user, "declarant"))
    assert first.client == again.client
    assert first.secret
    assert again.secret == ""
    async with house.db.connection() as connection:
        cursor = await connection.execute("select clients::text || requests::text from clients, requests")
        assert all(first.secret not in row[0] and PASSWORD not in row[0] for row in await cursor.fetchall())


async def test_a_revoked_client_is_refused_and_its_tokens_are_void(house: House) -> None:
    importer = await house.organisation("importer")
    new = await house.client(importer, "declarant")
    await house.desk.issue_token(new.client.id, new.secret, "")
    admin = acting(importer, "org_admin")
    revoked = await people.revoke_client(house.db, admin, new.client.id)
    assert await people.revoke_client(house.db, admin, new.client.id) == revoked
    with pytest.raises(Unauthenticated):
        await house.desk.issue_token(new.client.id, new.secret, "")
    void = await revocations.OwnRevocations(house.db)(0)
    assert [one.subject for one in void] == [new.client.id]
    assert void[0].revoked_at > clock.now().timestamp()
    assert [fact["type"] for fact in await house.said()] == ["OrganisationActivated", "ClientRevoked"]


async def test_another_organisations_client_is_not_there_to_revoke(house: House) -> None:
    new = await house.client(await house.organisation("importer"), "declarant")
    other = acting(await house.organisation("exporter"), "org_admin")
    for client_id in (new.client.id, "nobody"):
        with pytest.raises(NotFound):
            await people.revoke_client(house.db, other, client_id)


async def test_revocations_are_numbered_in_the_order_they_become_visible(house: House) -> None:
    importer = await house.organisation("importer")
    made = [await house.client(importer, "declarant") for _ in range(8)]
    seen: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        source = revocations.OwnRevocations(house.db)
        while not done.is_set() or len(seen) < len(made):
            seen.extend(one.sequence for one in await source(seen[-1] if seen else 0))

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(people.revoke_client(house.db, OPERATOR, new.client.id) for new in made))
    done.set()
    await asyncio.wait_for(follower, 10)
    assert seen == list(range(1, 9))


async def a_pair(house: House) -> tuple[Organisation, Organisation]:
    return await house.organisation("importer"), await house.organisation("broker")


def a_wish(principal: Organisation, agent: Organisation, **changes: object) -> Wish:
    wish = Wish(principal.id, agent.id, ("file", "pay"), ("import_title.ei",), None, clock.now() + HOUR)
    return replace(wish, **changes)  # type: ignore[arg-type]


async def grant(house: House, wish: Wish, by: object = OPERATOR) -> Mandate:
    return await mandates.grant(house.db, house.vault, asked(by), wish)  # type: ignore[arg-type]


async def allowed(house: House, principal: Organisation, agent: Organisation, *what: str) -> str:
    async with house.db.connection() as connection:
        verdict = await mandates.check(connection, principal.id, agent.id, *(what or ("file", "import_title.ei")))
    assert (verdict.principal == principal) is (verdict.mandate is not None)
    return verdict.mandate.id if verdict.mandate else ""


async def test_a_mandate_stands_from_its_grant_to_its_revocation(house: House) -> None:
    principal, agent = await a_pair(house)
    assert await allowed(house, principal, agent) == ""
    granted = await grant(house, a_wish(principal, agent), acting(principal, "declarant"))
    assert await allowed(house, principal, agent) == granted.id
    await mandates.revoke(house.db, acting(principal, "org_admin"), principal.id, granted.id)
    assert await allowed(house, principal, agent) == ""
    facts = [fact for fact in await house.said() if fact["type"].startswith("Mandate")]
    assert facts == [
        {"type": "MandateGranted", "key": principal.id},
        {"type": "MandateRevoked", "key": principal.id},
    ]


@pytest.mark.parametrize(
    ("changes", "what", "expected"),
    [
        ({}, ("file", "import_title.ei"), True),
        ({}, ("pay", "import_title.ei"), True),
        ({}, ("withdraw", "import_title.ei"), False),
        ({}, ("file", "import_title.li"), False),
        ({"document_types": ()}, ("file", "export_title"), True),
        ({"valid_from": timedelta(minutes=10)}, ("file", "import_title.ei"), False),
        ({"valid_from": timedelta(minutes=-10)}, ("file", "import_title.ei"), True),
        ({"valid_to": None}, ("file", "import_title.ei"), True),
    ],
)
async def test_a_check_asks_scope_and_dates(
    house: House, changes: dict[str, object], what: tuple[str, str], expected: bool
) -> None:
    principal, agent = await a_pair(house)
    dated = {name: clock.now() + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    await grant(house, a_wish(principal, agent, **dated))
    assert bool(await allowed(house, principal, agent, *what)) is expected


async def test_a_mandate_ends_by_itself(house: House) -> None:
    principal, agent = await a_pair(house)
    await grant(house, a_wish(principal, agent, valid_to=clock.now() + timedelta(seconds=0.5)))
    assert await allowed(house, principal, agent)
    await asyncio.sleep(0.6)
    assert await allowed(house, principal, agent) == ""


async def test_a_mandate_works_one_way_and_for_two_only(house: House) -> None:
    principal, agent = await a_pair(house)
    await grant(house, a_wish(principal, agent))
    other = await house.organisation("broker")
    assert await allowed(house, agent, principal) == ""
    assert await allowed(house, principal, other) == ""


async def test_revoking_one_of_two_mandates_leaves_the_other(house: House) -> None:
    principal, agent = await a_pair(house)
    first, second = [await grant(house, a_wish(principal, agent)) for _ in range(2)]
    await mandates.revoke(house.db, OPERATOR, "", first.id)
    assert await allowed(house, principal, agent) == second.id


async def test_who_grants_and_who_revokes(house: House) -> None:
    principal, agent = await a_pair(house)
    broker, stranger = acting(agent, "declarant"), acting(await house.organisation("exporter"), "org_admin")
    for by in (broker, stranger):
        with pytest.raises(Forbidden):
            await grant(house, a_wish(principal, agent), by)
    granted = await grant(house, a_wish(principal, agent))
    with pytest.raises(Forbidden):
        await mandates.revoke(house.db, broker, principal.id, granted.id)
    with pytest.raises(NotFound):
        await mandates.revoke(house.db, stranger, principal.id, granted.id)
    with pytest.raises(NotFound):
        await mandates.revoke(house.db, OPERATOR, agent.id, granted.id)
    assert await allowed(house, principal, agent)


async def test_a_repeated_grant_is_one_mandate_even_without_a_first_day(house: House) -> None:
    principal, agent = await a_pair(house)
    wish, once = a_wish(principal, agent), asked()
    made = await asyncio.gather(*(mandates.grant(house.db, house.vault, once, wish) for _ in range(10)))
    assert len({one.id for one in made}) == 1
    assert await house.count("mandates") == 1


async def test_two_revocations_at_once_are_said_once(house: House) -> None:
    principal, agent = await a_pair(house)
    granted = await grant(house, a_wish(principal, agent))
    both = await asyncio.gather(*(mandates.revoke(house.db, OPERATOR, "", granted.id) for _ in range(5)))
    assert len({one.revoked_at for one in both}) == 1
    assert [fact["type"] for fact in await house.said()].count("MandateRevoked") == 1


async def test_mandates_between_the_same_two_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.store.mandates.STANDING_MAX", 2)
    principal, agent = await a_pair(house)
    made = [await grant(house, a_wish(principal, agent)) for _ in range(2)]
    with pytest.raises(Refused, match="TOO_MANY_MANDATES"):
        await grant(house, a_wish(principal, agent))
    await mandates.revoke(house.db, OPERATOR, "", made[0].id)
    await grant(house, a_wish(principal, agent))


async def test_history_is_kept(house: House) -> None:
    principal, agent = await a_pair(house)
    granted = await grant(house, a_wish(principal, agent), acting(principal, "org_admin"))
    revoked = await mandates.revoke(house.db, acting(principal, "org_admin"), principal.id, granted.id)
    async with house.db.connection() as connection:
        seen = await mandates.page(connection, acting(agent, "declarant"), agent.id, after="", limit=10)
    assert seen == [revoked]
    assert revoked.granted_by == f"person-of-{principal.id}"
    assert revoked.revoked_by == f"person-of-{principal.id}"


async def test_a_trader_is_seen_by_its_brokers_and_by_officials(house: House) -> None:
    principal, agent = await a_pair(house)
    stranger = await house.organisation("exporter")
    bank = await house.organisation("bank")

    async def sees(by: Organisation, *roles: str) -> bool:
        async with house.db.connection() as connection:
            try:
                return await organisations.visible(connection, acting(by, *roles), principal.id) == principal
            except NotFound:
                return False

    assert await sees(principal, "declarant")
    assert await sees(bank, "bank_officer")
    assert not await sees(agent, "declarant")
    assert not await sees(stranger, "org_admin")
    await grant(house, a_wish(principal, agent))
    assert await sees(agent, "declarant")


async def test_the_first_operator_is_made_once(house: House) -> None:
    kept: list[bootstrap.FirstOperator] = []
    assert await bootstrap.bootstrap(house.db, house.passwords, "op@portolan.example", kept.append)
    assert not await bootstrap.bootstrap(house.db, house.passwords, "op@portolan.example", kept.append)
    first = kept[0]
    assert (await house.desk.issue_token(first.client.id, first.secret, "")).scope == "operator_admin"
    assert (await house.desk.sign_in("op@portolan.example", first.password)).scope == "operator_admin"
    await bootstrap.renew(house.db, house.passwords, kept.append)
    assert (await house.desk.issue_token(kept[1].client.id, kept[1].secret, "")).scope == "operator_admin"
    with pytest.raises(Unauthenticated):
        await house.desk.issue_token(first.client.id, first.secret, "")
    with pytest.raises(Unauthenticated):
        await house.desk.sign_in("op@portolan.example", first.password)


async def test_secrets_that_could_not_be_kept_make_no_operator(house: House) -> None:
    def fail(_: bootstrap.FirstOperator) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await bootstrap.bootstrap(house.db, house.passwords, "op@portolan.example", fail)
    assert await house.count("organisations") == 0
