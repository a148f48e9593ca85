"""Proof in, token out, and keys that change under way."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from identity.actions import keyring, people
from identity.actions.keyring import Keyring
from identity.actions.revocations import OwnRevocations
from identity.domain.attempts import FAILURES_MAX
from identity.domain.keys import PUBLISH_LEAD_SECONDS, TOKEN_SECONDS
from identity.domain.tokens import AccessToken
from identity.events import tick
from identity.store import keys as key_rows
from identity.store import people as people_rows
from joserfc import jws
from kit import clock
from kit.auth import TokenVerifier
from kit.errors import Busy, Invalid, Unauthenticated

from tests.identity.builders import OPERATOR, PASSWORD, House, a_house

pytestmark = pytest.mark.service("identity")


async def test_a_clients_token_says_who_it_is(house: House) -> None:
    agency = await house.organisation("agency", language="ar")
    new = await house.client(agency, "agency_officer", "org_admin")
    token = await house.desk.issue_token(new.client.id, new.secret, "agency_officer")
    principal = await TokenVerifier(house.keys).verify(token.text)
    assert (token.scope, token.expires_in_seconds) == ("agency_officer", TOKEN_SECONDS)
    assert principal.subject == new.client.id
    assert principal.person == new.client.responsible_user_id
    assert (principal.organisation_id, principal.organisation_kind) == (agency.id, "agency")
    assert (principal.agency, principal.roles) == ("TRADE", frozenset({"agency_officer"}))
    assert principal.language == "ar"
    assert principal.expires_at - principal.issued_at == TOKEN_SECONDS


async def test_a_person_signs_in_with_an_address_in_any_case(house: House) -> None:
    user = await house.user(await house.organisation(), "declarant", email="some.body@company.example")
    token = await house.desk.sign_in(" Some.Body@COMPANY.example".strip(), PASSWORD)
    principal = await TokenVerifier(house.keys).verify(token.text)
    assert (principal.subject, principal.person, principal.language) == (user.id, user.id, "ar")


async def test_a_password_typed_in_another_unicode_form_is_the_same(house: House) -> None:
    organisation = await house.organisation()
    composed, decomposed = "é" * 15, "e\u0301" * 15
    wanted = await house.user(organisation, "declarant")
    async with house.db.transaction() as tx:
        await people_rows.set_password(tx, wanted.id, await house.passwords.hash(composed))
    assert (await house.desk.sign_in(wanted.email, decomposed)).scope == "declarant"


async def test_a_stranger_and_a_wrong_secret_get_the_same_answer(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    user = await house.user(await house.organisation(), "declarant")
    answers = set()
    for client_id, secret in [(new.client.id, "wrong"), ("nobody", new.secret), ("", ""), ("a\x00b", "x"), ("é", "x")]:
        with pytest.raises(Unauthenticated) as error:
            await house.desk.issue_token(client_id, secret, "")
        answers.add(str(error.value))
    for email, password in [
        (user.email, "wrong"),
        ("nobody@a.example", PASSWORD),
        ("\x00", ""),
        (user.email, "x" * 999),
    ]:
        with pytest.raises(Unauthenticated) as error:
            await house.desk.sign_in(email, password)
        answers.add(str(error.value).replace("address, or wrong password", "client, or wrong secret"))
    assert len(answers) == 1


async def test_an_unknown_address_takes_as_long_as_a_known_one(house: House) -> None:
    user = await house.user(await house.organisation(), "declarant")

    async def seconds(email: str) -> float:
        began = time.perf_counter()
        with pytest.raises(Unauthenticated):
            await house.desk.sign_in(email, "wrong password")
        return time.perf_counter() - began

    known = min([await seconds(user.email) for _ in range(5)])
    unknown = min([await seconds("nobody@a.example") for _ in range(5)])
    assert 0.3 < known / unknown < 3


async def test_a_scope_that_is_not_held_is_refused(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    with pytest.raises(Invalid, match="INVALID_SCOPE"):
        await house.desk.issue_token(new.client.id, new.secret, "declarant org_admin")


async def test_guessing_a_password_is_stopped_also_in_parallel(house: House) -> None:
    user = await house.user(await house.organisation(), "declarant")
    tries = [house.desk.sign_in(user.email, f"wrong password {n}") for n in range(2 * FAILURES_MAX)]
    kinds = [type(error) for error in await asyncio.gather(*tries, return_exceptions=True)]
    assert (kinds.count(Unauthenticated), kinds.count(Busy)) == (FAILURES_MAX, FAILURES_MAX)
    with pytest.raises(Busy):
        await house.desk.sign_in(user.email, PASSWORD)


async def test_signing_in_rightly_forgives_what_went_before(house: House) -> None:
    user = await house.user(await house.organisation(), "declarant")
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            with pytest.raises(Unauthenticated):
                await house.desk.sign_in(user.email, "wrong password")
        await house.desk.sign_in(user.email, PASSWORD)


async def test_a_stranger_cannot_lock_a_client_out(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    for _ in range(FAILURES_MAX):
        with pytest.raises(Unauthenticated):
            await house.desk.issue_token(new.client.id, "wrong", "")
    with pytest.raises(Busy):
        await house.desk.issue_token(new.client.id, "wrong", "")
    assert (await house.desk.issue_token(new.client.id, new.secret, "")).text


async def test_a_password_hash_is_argon2id_and_renewed_when_outdated(house: House) -> None:
    user = await house.user(await house.organisation(), "declarant")
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)

    async def stored() -> str:
        async with house.db.connection() as connection:
            cursor = await connection.execute("select password_hash from users where id = %s", [user.id])
            row = await cursor.fetchone()
            return str(row[0]) if row else ""

    assert (await stored()).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    async with house.db.transaction() as tx:
        await people_rows.set_password(tx, user.id, weak)
    await house.desk.sign_in(user.email, PASSWORD)
    assert (await stored()).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_revoked_client_is_refused_by_a_verifier_that_knew_its_token(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    token = (await house.desk.issue_token(new.client.id, new.secret, "")).text
    verifier = TokenVerifier(house.keys)
    await verifier.verify(token)
    stop = asyncio.Event()
    watching = asyncio.create_task(verifier.watch_revocations(OwnRevocations(house.db), stop))
    await people.revoke_client(house.db, OPERATOR, new.client.id)
    async with asyncio.timeout(5):
        while await verifies(verifier, token):
            await people.revoke_client(house.db, OPERATOR, new.client.id)
    stop.set()
    await watching


async def verifies(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except Unauthenticated:
        return False
    return True


async def test_a_token_asked_for_while_the_client_is_revoked_is_void(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    verifier = TokenVerifier(house.keys)
    asking = [house.desk.issue_token(new.client.id, new.secret, "") for _ in range(20)]
    answers = await asyncio.gather(
        people.revoke_client(house.db, OPERATOR, new.client.id), *asking, return_exceptions=True
    )
    verifier.revoke(await OwnRevocations(house.db)(0))
    issued = [answer for answer in answers if isinstance(answer, AccessToken)]
    assert not any([await verifies(verifier, token.text) for token in issued])


class Counted:
    """A verifier's key source that knows how often it was asked."""

    def __init__(self, keys: Keyring) -> None:
        self.times = 0
        self._keys = keys

    async def keys(self) -> Mapping[str, str]:
        self.times += 1
        return await self._keys.keys()


async def test_rotation_refuses_no_token_while_two_processes_sign(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    async with house.db.transaction() as tx:
        await tx.execute("update signing_keys set created_at = created_at - interval '1 day'")
    processes = [house, await a_house(house.db)]
    source = Counted(processes[0].keys)
    verifier = TokenVerifier(source)
    signed_with: set[str] = set()
    stop_at = time.monotonic() + PUBLISH_LEAD_SECONDS + 3
    verified = 0

    async def work(process: House) -> None:
        nonlocal verified
        while time.monotonic() < stop_at:
            token = await process.desk.issue_token(new.client.id, new.secret, "")
            await verifier.verify(token.text)
            signed_with.add(key_id(token.text))
            verified += 1
            await asyncio.sleep(0.01)

    async def rotate() -> None:
        await asyncio.sleep(0.5)
        made = await asyncio.gather(*(keyring.rotate(house.db, house.vault) for _ in range(5)))
        assert len({key.id for key in made}) == 1

    await asyncio.gather(*(work(process) for process in processes), rotate())
    assert len(signed_with) == 2
    assert verified > 200
    assert source.times == 2


def key_id(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


async def test_after_another_service_secret_a_new_key_signs_and_old_tokens_still_verify(house: House) -> None:
    new = await house.client(await house.organisation(), "declarant")
    before = (await house.desk.issue_token(new.client.id, new.secret, "")).text
    moved = await a_house(house.db, "another service secret")
    await keyring.keep(moved.db, moved.vault)
    after = (await moved.desk.issue_token(new.client.id, new.secret, "")).text
    verifier = TokenVerifier(moved.keys)
    assert (await verifier.verify(before)).subject == (await verifier.verify(after)).subject
    assert key_id(before) != key_id(after)


async def test_private_halves_are_sealed_and_forgotten_at_retirement(house: House) -> None:
    await keyring.rotate(house.db, house.vault)

    async def sealed() -> list[tuple[bytes, bool]]:
        async with house.db.connection() as connection:
            cursor = await connection.execute("select sealed_private, retires_at is null from signing_keys order by id")
            return [(bytes(row[0]), row[1]) for row in await cursor.fetchall()]

    assert all(private and b"PRIVATE" not in private for private, _ in await sealed())
    async with house.db.transaction() as tx:
        await tx.execute("update signing_keys set created_at = created_at - interval '1 hour'")
    await keyring.rotate(house.db, house.vault)
    async with house.db.transaction() as tx:
        await tx.execute("update signing_keys set retires_at = retires_at - interval '1 hour'")
    await tick(house.db, house.vault)
    assert [(bool(private), is_live) for private, is_live in await sealed()][-1] == (True, True)
    assert sum(bool(private) for private, _ in await sealed()) == 1
    assert len(await house.keys.published()) == 1


async def test_a_key_of_a_month_is_followed_by_the_clock(house: House) -> None:
    async with house.db.transaction() as tx:
        await tx.execute(
            "update signing_keys set created_at = now() - interval '31 days', signs_from = now() - interval '31 days'"
        )
    await tick(house.db, house.vault)
    await tick(house.db, house.vault)
    async with house.db.connection() as connection:
        published = await key_rows.published(connection, clock.now() + timedelta(seconds=1))
    assert len(published) == 2
    assert sum(key.retires_at is None for key in published) == 1
