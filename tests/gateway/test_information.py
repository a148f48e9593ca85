"""Asking and answering: what is passed on, what is refused before anybody is asked."""

from typing import Any

import pytest

from tests.gateway.house import House

INQUIRY: dict[str, Any] = {"questions": ["Why?", "Who?"], "reason": "to be sure"}
REPLY: dict[str, Any] = {"request_id": "i-1", "answers": [{"question": 1, "answer": "Because."}]}


async def ask(house: House, body: Any) -> Any:
    headers = house.bearer("agency_officer")
    return await house.http.post("/v1/tasks/t:request-information", json=body, headers=headers)


async def answer(house: House, body: Any, **other: str) -> Any:
    headers = {**house.bearer("declarant"), **other}
    return await house.http.post("/v1/documents/d:provide-information", json=body, headers=headers)


async def test_a_request_is_passed_on_and_the_task_shows_it(house: House) -> None:
    shown = (await ask(house, INQUIRY)).json()
    (asked,) = house.services.routing.inquiries
    assert (asked.id, list(asked.questions), asked.reason) == ("t", ["Why?", "Who?"], "to be sure")
    assert (shown["state"], shown["may_request_information"]) == ("WAITING", False)
    assert shown["information"]["questions"] == [
        {"question": 1, "text": "Why?", "answer": None},
        {"question": 2, "text": "Who?", "answer": None},
    ]


async def test_answers_are_passed_on_with_what_was_seen(house: House) -> None:
    given = await answer(house, REPLY, **{"if-match": '"1"'})
    assert (given.status_code, given.headers["etag"]) == (200, '"2"')
    await answer(house, {"answers": REPLY["answers"]})
    first, second = house.services.intake.replies
    assert (first.information_request_id, first.if_match) == ("i-1", '"1"')
    assert [(one.question, one.answer) for one in first.answers] == [(1, "Because.")]
    assert (second.information_request_id, second.if_match) == ("", "")


async def test_what_is_no_entity_tag_is_refused(house: House) -> None:
    assert (await answer(house, REPLY, **{"if-match": "{}"})).status_code == 400


@pytest.mark.parametrize(
    "change",
    [{"questions": []}, {"questions": ["x"] * 11}, {"questions": [""]}, {"reason": ""}, {"questions": None}],
)
async def test_what_is_no_request_is_refused(house: House, change: dict[str, Any]) -> None:
    refused = await ask(house, INQUIRY | change)
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST")
    assert house.services.routing.inquiries == []


@pytest.mark.parametrize(
    "answers",
    [[], [{"question": 0, "answer": "x"}], [{"question": 1, "answer": ""}], [{"question": 1, "answer": "x" * 4001}]],
)
async def test_what_is_no_answer_is_refused(house: House, answers: list[Any]) -> None:
    refused = await answer(house, {"answers": answers})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST")
    assert house.services.intake.replies == []


async def test_every_question_may_be_answered_at_full_length(house: House) -> None:
    answers = [{"question": number, "answer": "ش" * 4000} for number in range(1, 11)]
    assert (await answer(house, {"answers": answers})).status_code == 200
