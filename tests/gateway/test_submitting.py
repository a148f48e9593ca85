"""POST /v1/documents: what travels together, what is refused, what is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from gateway.settings import GatewaySettings
from gateway.submissions import Submissions
from kit.errors import Invalid, Refused, Unavailable, Violation
from kit.testing import TokenMint
from portolan.intake.v1.intake_pb2 import Submission

from tests.gateway.house import House, a_house

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_submission_answers_with_the_stored_document(house: House) -> None:
    answer = await house.submit("k", headers={"traceparent": TRACEPARENT, "accept-language": "ar;q=0.9, de"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/documents/{answer.json()['id']}"
    assert answer.headers["etag"] == '"1"'
    assert "idempotent-replayed" not in answer.headers
    assert answer.headers["traceparent"] == TRACEPARENT
    heard = house.services.intake.heard[0]
    assert (heard.language, heard.traceparent) == ("ar", TRACEPARENT)


async def test_a_replay_is_the_same_answer_byte_for_byte(house: House) -> None:
    answers = await asyncio.gather(*(house.submit("same") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 19


async def test_another_body_with_the_same_key_is_refused(house: House) -> None:
    await house.submit("k")
    answer = await house.submit("k", b'{"type":"paper.a","body":{"other":1}}')
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_what_waits_together_travels_together_and_comes_back_to_whom_it_belongs(house: House) -> None:
    house.services.intake.pause_s = 0.02
    answers = await asyncio.gather(*(house.submit(f"k-{number}") for number in range(150)))
    assert [answer.json()["body"]["key"] for answer in answers] == [f"k-{number}" for number in range(150)]
    assert sum(house.services.intake.messages) == 150
    assert len(house.services.intake.messages) < 75


async def test_a_lone_submission_does_not_wait_for_company(house: House) -> None:
    for number in range(3):
        await house.submit(f"k-{number}")
    assert house.services.intake.messages == [1, 1, 1]


async def test_a_broken_stream_costs_nobody_the_answer(house: House) -> None:
    house.services.intake.breaks = 1
    answers = await asyncio.gather(*(house.submit(f"k-{number}") for number in range(10)))
    assert {answer.status_code for answer in answers} == {201}


async def test_intake_killed_and_back_within_the_time_of_a_request(house: House) -> None:
    await house.submit("before")
    await house.services.kill("intake")
    waiting = [asyncio.create_task(house.submit(f"k-{number}")) for number in range(10)]
    await asyncio.sleep(0.3)
    await house.services.start("intake")
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {201}


async def test_intake_away_is_503_with_retry_after(mint: TokenMint) -> None:
    async with a_house(mint, request_budget_s=0.3) as house:
        await house.services.kill("intake")
        answer = await house.submit("k")
        assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
        assert int(answer.headers["retry-after"]) >= 1
        await house.services.start("intake")


async def test_too_many_waiting_are_turned_away_at_once(mint: TokenMint) -> None:
    async with a_house(mint, submissions_waiting_max=5) as house:
        house.services.intake.pause_s = 0.2
        answers = await asyncio.gather(*(house.submit(f"k-{number}") for number in range(40)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert len(refused) >= 30
        assert {answer.json()["code"] for answer in refused} == {"OVERLOADED"}
        assert {answer.status_code for answer in answers} == {201, 503}


async def test_a_refusal_of_one_does_not_touch_its_neighbours(house: House) -> None:
    house.services.intake.pause_s = 0.02
    good = [house.submit(f"k-{number}") for number in range(5)]
    *answers, bad = await asyncio.gather(*good, house.submit("bad", b'{"a":1,"a":2}'))
    assert {answer.status_code for answer in answers} == {201}
    assert (bad.status_code, bad.json()["code"]) == (400, "MALFORMED")


async def test_violations_come_with_their_pointers(house: House) -> None:
    wrong = [Violation("/body/lines/0", "TYPE", "must be text")]
    house.services.intake.refusal = Invalid("INVALID_DOCUMENT", violations=wrong)
    problem = (await house.submit("k")).json()
    assert (problem["status"], problem["code"]) == (422, "INVALID_DOCUMENT")
    assert problem["errors"] == [{"pointer": "/body/lines/0", "code": "TYPE", "message": "must be text"}]


async def test_a_rule_of_the_trade_is_409_with_its_facts(house: House) -> None:
    house.services.intake.refusal = Refused("SOME_RULE", "no", facts={"limit": "5"})
    problem = (await house.submit("k")).json()
    assert (problem["status"], problem["code"], problem["limit"]) == (409, "SOME_RULE", "5")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"idempotency-key": ""}, 400, "IDEMPOTENCY_KEY_MISSING"),
        ({"idempotency-key": "two words"}, 400, "MALFORMED"),
        ({"idempotency-key": "k" * 201}, 400, "MALFORMED"),
        ({"content-type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-type": "application/json; charset=latin-1"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"authorization": ""}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer nonsense"}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer svc.gateway.1.x"}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Basic eDp5"}, 401, "UNAUTHENTICATED"),
    ],
)
async def test_what_the_edge_refuses(house: House, headers: dict[str, str], status: int, code: str) -> None:
    answer = await house.submit("k", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert house.services.intake.heard == []


async def test_a_role_that_does_not_file_is_forbidden(house: House) -> None:
    answer = await house.submit("k", headers=house.bearer("bank_officer"))
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_ten_megabytes_are_refused_and_the_caller_hears_it(house: House) -> None:
    answer = await house.submit("k", b"x" * 10_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


async def test_the_limit_holds_without_a_content_length(house: House) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    headers = {**house.bearer("declarant"), "content-type": "application/json", "idempotency-key": "k"}
    answer = await house.http.post("/v1/documents", content=chunks(), headers=headers)
    assert answer.status_code == 413


async def test_the_refusal_comes_while_the_body_still_streams(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    head = f"POST /v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: {house.bearer('declarant')['authorization']}\r\n"
    writer.write(f"{head}content-type: application/json\r\nidempotency-key: k\r\n".encode())
    writer.write(b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(20):
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
    async with asyncio.timeout(1.0):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_limits_by_caller_say_when_to_come_again(mint: TokenMint) -> None:
    async with a_house(mint, submissions_per_minute=3) as house:
        answers = [await house.submit(f"k-{number}") for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[3].json()["code"] == "RATE_LIMITED"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    assert answers[3].headers["ratelimit-policy"] == '"submissions";q=3;w=60'
    assert answers[3].headers["ratelimit"].startswith('"submissions";r=0;t=')


async def test_large_documents_that_wait_together_do_not_break_the_stream(house: House) -> None:
    """One message over gRPC's limit ended the stream, and with it everybody's submission, again and again."""
    house.services.intake.pause_s = 0.05
    large = b'{"type":"paper.a","body":{"text":"' + b"x" * 240_000 + b'"}}'
    large_ones = [house.submit(f"large-{number}", large) for number in range(75)]
    answers = await asyncio.gather(*large_ones, *(house.submit(f"k-{number}") for number in range(5)))
    assert {answer.status_code for answer in answers} == {201}


async def test_submissions_nobody_waits_for_any_more_are_not_kept() -> None:
    """While intake is away each left its body behind in the queue."""
    submissions = Submissions(lambda: pytest.fail("nothing is sent"), GatewaySettings())
    for number in range(100):
        with pytest.raises(Unavailable):
            await submissions.submit(Submission(idempotency_key=f"k-{number}"), 0.001)
    assert len(submissions._queue) == 1


async def test_a_client_that_leaves_does_not_disturb_the_others(house: House) -> None:
    house.services.intake.pause_s = 0.2
    with pytest.raises(httpx.ReadTimeout):
        await house.http.post(
            "/v1/documents",
            content=b"{}",
            headers={**house.bearer("declarant"), "content-type": "application/json", "idempotency-key": "gone"},
            timeout=0.05,
        )
    assert (await house.submit("k")).status_code == 201
