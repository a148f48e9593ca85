"""Odd input is refused for what it is: never a 5xx, never half understood."""

from __future__ import annotations

import json

import pytest

from tests.gateway.house import House

LINE = b'{"idempotency_key":"k","type":"paper.a","body":{}}'


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"nul", b"\xff", b'{"name":NaN}', b'{"name":1e999}', b'{"a":1,"a":2}', b'{"a":"\\u0000"}'),
        *(b'{"a":"\\ud800"}', b"[" * 100 + b"]" * 100, b"[" * 50_000, b'{"a":' * 5000),
    ],
)
async def test_what_is_not_one_plain_json_value_is_malformed(house: House, raw: bytes) -> None:
    headers = {**house.bearer("operator_admin"), "content-type": "application/json"}
    answer = await house.http.post("/v1/organisations", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"name": "n", "kind": "broker", "language": "fr", "color": "red"}, "", "UNKNOWN_FIELD"),
        ({"name": "n", "kind": "pirate", "language": "fr"}, "/kind", "INVALID_VALUE"),
        ({"name": "n", "kind": "broker"}, "", "REQUIRED"),
        ({"name": "n", "kind": "broker", "language": "fr", "attributes": ["a", 2]}, "/attributes/1", "INVALID_VALUE"),
        ([], "", "INVALID_VALUE"),
    ],
)
async def test_a_shape_that_does_not_fit_is_pointed_at(house: House, body: object, pointer: str, code: str) -> None:
    answer = await house.http.post("/v1/organisations", json=body, headers=house.bearer("operator_admin"))
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["errors"][0]["code"] == code


@pytest.mark.parametrize(
    "query",
    [
        "state=%00",
        "state=a%0Ab",
        "state=%ff",
        "stat=OPEN",
        "state=A&state=B",
        "limit=0",
        "limit=x",
        "limit=",
        "q=" + "x" * 999,
    ],
)
async def test_a_query_must_be_understood_in_full(house: House, query: str) -> None:
    answer = await house.http.get(f"/v1/documents?{query}", headers=house.bearer("declarant"))
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")


@pytest.mark.parametrize(("asked", "given"), [("7", "7"), ("200", "200"), ("201", "200"), ("9" * 30, "200")])
async def test_a_limit_is_brought_down_to_the_most_there_is(house: House, asked: str, given: str) -> None:
    answer = await house.http.get(f"/v1/documents?limit={asked}", headers=house.bearer("declarant"))
    assert answer.json()["next_cursor"] == given


@pytest.mark.parametrize(
    "path",
    ["%00", "a%00b", "a%2Fb", "%F0%9F%92%A9", "%ff", "..%2f", "a b", "a%0Ab", "x" * 129, "'%20or%201=1", "%C3%A9"],
)
async def test_an_id_with_odd_characters_is_nothing_we_have(house: House, path: str) -> None:
    answer = await house.http.get(f"/v1/documents/{path}", headers=house.bearer("declarant"))
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_addresses_and_headers_have_their_limits(house: House) -> None:
    long = await house.http.get("/v1/documents?q=" + "x" * 17_000)
    assert (long.status_code, long.json()["code"]) == (414, "URI_TOO_LONG")
    fat = await house.http.get("/status", headers={"x-fat": "x" * 17_000})
    assert (fat.status_code, fat.json()["code"]) == (431, "HEADERS_TOO_LARGE")
    many = await house.http.get("/status", headers={f"x-{number}": "1" for number in range(70)})
    assert many.status_code == 431


@pytest.mark.parametrize("year", ["0001", "9999"])
async def test_dates_that_nothing_can_mean_are_refused(house: House, year: str) -> None:
    body = {"agent_organisation_id": "o", "powers": ["file"], "valid_from": f"{year}-01-01T00:00:00+14:00"}
    answer = await house.http.post("/v1/organisations/o/mandates", json=body, headers=house.bearer("org_admin"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/valid_from")


async def test_a_batch_answers_line_by_line_in_order(house: House) -> None:
    lines = [
        *(LINE, b'{"idempotency_key":"k2","type":"paper.a","body":{"a":1,"a":2}}', b"{", LINE),
        *(b'{"idempotency_key":"","type":"paper.a","body":{}}', b'{"idempotency_key":"k3","body":{},"extra":1}'),
    ]
    headers = {**house.bearer("declarant"), "content-type": "application/x-ndjson"}
    answer = await house.http.post("/v1/documents:batch", content=b"\n".join(lines), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (207, "application/x-ndjson")

    answers = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["line"] for one in answers] == [1, 2, 3, 4, 5, 6]
    assert [one["status"] for one in answers] == [201, 400, 400, 201, 400, 422]
    assert answers[0]["document"] == answers[3]["document"]
    assert answers[3]["replayed"] is True
    assert answers[4]["problem"]["code"] == "IDEMPOTENCY_KEY_MISSING"


async def test_a_batch_line_reaches_intake_without_its_key(house: House) -> None:
    headers = {**house.bearer("declarant"), "content-type": "application/x-ndjson"}
    line = b'{ "body" : {"a": 1.50}, "idempotency_key":"k", "on_behalf_of":"o", "type":"paper.a" }'
    await house.http.post("/v1/documents:batch", content=line, headers=headers)
    assert house.services.intake.heard[0].request_json == b'{"type":"paper.a","on_behalf_of":"o","body":{"a": 1.50}}'


async def test_a_batch_has_a_most(house: House) -> None:
    headers = {**house.bearer("declarant"), "content-type": "application/x-ndjson"}
    for content, status in ((b"", 400), (b"\n".join([LINE] * 501), 413), (b"x" * (8 * 1024 * 1024 + 1), 413)):
        answer = await house.http.post("/v1/documents:batch", content=content, headers=headers)
        assert answer.status_code == status
