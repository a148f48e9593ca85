"""What single calls do beyond passing on: preconditions, compositions, words in the caller's language, sign-in."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import pytest
from kit.testing import TokenMint

from tests.gateway.builders import AT
from tests.gateway.house import House, a_house

GRANT = {"grant_type": "client_credentials"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


async def token(house: House, form: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
    return await house.http.post("/oauth/token", data=form, headers=headers)


async def test_a_known_etag_is_304(house: House) -> None:
    headers = house.bearer("declarant")
    first = await house.http.get("/v1/documents/d", headers=headers)
    again = await house.http.get("/v1/documents/d", headers={**headers, "if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = await house.http.get("/v1/documents/d", headers={**headers, "if-none-match": '"0", W/"7"'})
    assert other.status_code == 200


@pytest.mark.parametrize(("if_match", "status"), [(None, 428), ("{}", 400), ('"0"', 412), ('"1"', 200)])
async def test_a_withdrawal_names_what_it_has_seen(house: House, if_match: str | None, status: int) -> None:
    headers = house.bearer("declarant") | ({"if-match": if_match} if if_match else {})
    answer = await house.http.post("/v1/documents/d:withdraw", headers=headers)
    assert answer.status_code == status
    assert answer.status_code != 200 or answer.headers["etag"] == '"2"'


async def test_a_reason_may_come_with_a_withdrawal(house: House) -> None:
    headers = {**house.bearer("declarant"), "if-match": '"1"'}
    await house.http.post("/v1/documents/d:withdraw", json={"reason": "typing error"}, headers=headers)
    assert house.services.intake.withdrawn[0].reason == "typing error"


async def test_a_simulation_asks_intake_routing_and_billing(house: House) -> None:
    headers = {**house.bearer("declarant"), "accept-language": "fr"}
    answer = await house.http.post("/v1/documents:simulate", json={"type": "paper.a", "body": {}}, headers=headers)
    shown = answer.json()
    assert (shown["valid"], shown["errors"], shown["due_at"], shown["channel_hint"]) == (True, [], AT, "green")
    assert shown["routes"][0]["rule"] == "R1"
    assert (shown["charges"][0]["label"], shown["charges"][0]["amount"]["amount_minor"]) == ("Titre", 3000)


async def test_a_price_that_nobody_can_name_does_not_hide_the_type(house: House) -> None:
    shown = (await house.http.get("/v1/document-types/paper.a")).json()
    assert (shown["price"]["amount_minor"], shown["price"]["currency"]) == (3000, "XXX")
    house.services.billing.is_down = True
    dictionary = (await house.http.get("/v1/reference/data-dictionary")).json()
    assert dictionary == {"pack_version": "1", "elements": [], "fields": []}
    answer = await house.http.get("/v1/document-types/paper.a")
    assert (answer.status_code, answer.json()["price"]) == (200, None)
    assert (await house.http.get("/v1/document-types/nothing")).status_code == 404


async def test_a_task_speaks_the_callers_language(house: House) -> None:
    headers = {**house.bearer("agency_officer"), "accept-language": "fr"}
    shown = (await house.http.get("/v1/tasks/t-1", headers=headers)).json()
    assert (shown["asked"], shown["reason_codes"]) == ("Décidez", [{"code": "R1", "label": "Motif"}])


async def test_conditions_are_kept_with_what_the_officer_said(house: House) -> None:
    body = {"outcome": "grant", "comment": "seen", "conditions": "until June"}
    await house.http.post("/v1/tasks/t-1:decide", json=body, headers=house.bearer("agency_officer"))
    assert house.services.routing.decisions[0].comment == "seen"
    assert house.services.routing.decisions[0].conditions == "until June"
    assert not house.services.routing.decisions[0].HasField("authorised_quantity")


async def test_the_same_key_is_the_same_registration_and_nobody_elses(house: House) -> None:
    body = {"name": "N", "kind": "broker", "language": "fr"}
    for key in ("a", "a", "b", ""):
        headers = house.bearer("operator_admin") | ({"idempotency-key": key} if key else {})
        await house.http.post("/v1/organisations", json=body, headers=headers)
    first, same, other, without = house.services.identity.request_ids
    assert first == same
    assert len({first, other, without}) == 3


async def test_a_client_is_revoked_only_where_it_belongs(house: House) -> None:
    headers = house.bearer("org_admin")
    there = await house.http.post("/v1/organisations/o/clients/c-2:revoke", headers=headers)
    assert (there.status_code, there.json()["revoked_at"]) == (200, AT)
    elsewhere = await house.http.post("/v1/organisations/o/clients/c-9:revoke", headers=headers)
    assert elsewhere.status_code == 404


@pytest.mark.parametrize(
    ("form", "headers"),
    [({**GRANT, "client_id": "c", "client_secret": "right"}, {}), (GRANT, basic("c", "right"))],
)
async def test_a_client_proves_itself_by_form_or_basic(
    house: House, form: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await token(house, form, headers)
    assert answer.status_code == 200
    assert answer.json() == {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "declarant"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({**GRANT, "client_id": "c", "client_secret": "wrong"}, {}, 401, "invalid_client"),
        (GRANT, {}, 401, "invalid_client"),
        (GRANT, {"authorization": "Basic ???"}, 401, "invalid_client"),
        ({**GRANT, "client_secret": "right"}, basic("c", "right"), 400, "invalid_request"),
        ({"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        ({}, {}, 400, "invalid_request"),
        ({**GRANT, "scope": "x" * 9000}, {}, 413, "invalid_request"),
    ],
)
async def test_a_refused_token_is_refused_as_oauth_says(
    house: House, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    answer = await token(house, form, headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/json"
    assert status != 401 or answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("raw", [b"grant_type=a&grant_type=a", b"\xff", b"grant_type=%ff", b"a=%00"])
async def test_a_form_that_is_no_form(house: House, raw: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await house.http.post("/oauth/token", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_guessing_is_stopped_for_the_guessed_and_nobody_else(mint: TokenMint) -> None:
    async with a_house(mint, sign_in_failures_per_minute=3) as house:
        wrong = {**GRANT, "client_id": "c", "client_secret": "wrong"}
        tries = [(await token(house, wrong)).status_code for _ in range(4)]
        assert tries == [401, 401, 401, 429]
        assert (await token(house, {**GRANT, "client_id": "d", "client_secret": "right"})).status_code == 200
        people = [await sign_in(house, "a@b.example", "wrong") for _ in range(4)]
        assert [answer.status_code for answer in people] == [401, 401, 401, 429]
        assert people[3].json()["code"] == "RATE_LIMITED"


async def sign_in(house: House, email: str, password: str) -> Any:
    return await house.http.post("/v1/sessions", json={"email": email, "password": password})


async def test_a_person_signs_in(house: House) -> None:
    answer = await sign_in(house, "a@b.example", "right")
    assert (answer.status_code, answer.json()["access_token"]) == (200, "t")
    assert (await sign_in(house, "a@b.example", "wrong")).json()["code"] == "UNAUTHENTICATED"


async def test_the_gateway_finishes_what_was_begun_and_leaves(mint: TokenMint) -> None:
    async with a_house(mint) as house:
        house.services.intake.pause_s = 0.3
        waiting = asyncio.create_task(house.submit("k"))
        await asyncio.sleep(0.1)
        house.stop.set()
        assert (await waiting).status_code == 201
        async with asyncio.timeout(2.0):
            await house.running


async def test_who_leaves_says_so_first(mint: TokenMint) -> None:
    async with a_house(mint, drain_s=0.3) as house:
        house.stop.set()
        await asyncio.sleep(0.05)
        assert (await house.http.get("/readyz")).status_code == 503
        assert (await house.submit("k")).status_code == 201


async def test_a_question_that_plans_and_prices_costs_by_its_work(mint: TokenMint) -> None:
    """It used to cost what reading one code list costs."""
    async with a_house(mint, open_reads_per_minute=15) as house:
        question = {"hs_code": "640399", "country": "CN", "direction": "import"}
        answers = [await house.http.post("/v1/procedures:simulate", json=question) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
