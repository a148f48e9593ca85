"""An agency asks, the operator answers: the document waits and returns, the timeline says who waits for whom."""

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from intake.actions import informing
from intake.actions.informing import Reply
from intake.domain.information import ANSWER_CHARACTERS_MAX, Answer
from intake.store import accesses
from kit.auth import Principal
from kit.errors import Forbidden, Invalid, NotFound, PortolanError, PreconditionFailed, Refused
from portolan.intake.v1 import events_pb2
from portolan.routing.v1 import events_pb2 as routing

from tests.intake.builders import BROKER, IMPORTER, Window, a_stranger, an_officer, the_broker, the_importer
from tests.intake.test_intake_hearing import DUE, NOW, tell, withdraw
from tests.intake.test_intake_titles import assert_unbroken

pytestmark = pytest.mark.service("intake")

LICENCE, EXPORT = "import_title.li", "export_title"


def opened(document_id: str, task_id: str, agency: str, step: str, event: str = "") -> Message:
    return routing.TaskOpened(
        task_id=task_id,
        document_id=document_id,
        step=step,
        agency=agency,
        opened_at=NOW,
        due_at=DUE,
        document_event=event,
    )


def requested(
    document_id: str, agency: str = "A", step: str = "technical_opinion", questions: tuple[str, ...] = ("Why?", "Who?")
) -> Message:
    return routing.InformationRequested(
        task_id=f"task-{agency}",
        document_id=document_id,
        step=step,
        agency=agency,
        information_request_id=f"request-{agency}",
        requested_by="officer-1",
        reason="to be sure",
        questions=questions,
        requested_at=NOW,
        due_at=DUE,
        document_event="request_information",
    )


def lapsed(document_id: str, agency: str = "A") -> Message:
    return routing.InformationLapsed(
        task_id=f"task-{agency}",
        document_id=document_id,
        step="technical_opinion",
        agency=agency,
        information_request_id=f"request-{agency}",
        due_at=DUE,
        lapsed_at=DUE,
        document_event="information_lapsed",
    )


def resumed(document_id: str, agency: str = "A") -> Message:
    return routing.TaskResumed(
        task_id=f"task-{agency}", document_id=document_id, step="s", agency=agency, resumed_at=DUE, due_at=DUE
    )


async def submitted(window: Window, document_type: str = LICENCE) -> str:
    return (await window.submit(window.submission(document_type=document_type))).document_id


async def a_licence_that_waits(window: Window) -> str:
    title = await submitted(window)
    await tell(window, opened(title, "task-A", "A", "technical_opinion"), requested(title))
    return title


async def an_export_that_two_wait_for(window: Window) -> str:
    title = await submitted(window, EXPORT)
    await tell(
        window,
        opened(title, "task-A", "A", "agency_control", "open_control"),
        opened(title, "task-B", "B", "agency_control"),
        requested(title, "A", "agency_control"),
        requested(title, "B", "agency_control"),
    )
    return title


def a_reply(*texts: str, **other: Any) -> Reply:
    given = enumerate(texts or ("Because.", "Me."), 1)
    return Reply(other.pop("request_id", ""), [Answer(number, text) for number, text in given], **other)


async def provide(
    window: Window, title: str, reply: Reply | None = None, by: Principal | None = None
) -> dict[str, Any]:
    who = by or the_broker()
    await informing.provide(window.db, window.rulebooks, window.directory, who, title, reply or a_reply())
    return await window.document(title)


async def kinds(window: Window, title: str) -> list[str]:
    timeline = await window.timeline(title)
    assert_unbroken(timeline)
    return [item["event"] if item["kind"] == "state" else item["kind"] for item in timeline["items"]]


async def test_the_document_waits_and_the_operator_holds_it(window: Window) -> None:
    title = await a_licence_that_waits(window)
    assert (await window.document(title))["state"] == "INFO_REQUESTED"
    timeline = await window.timeline(title)
    holder = timeline["holder"]
    assert (holder["agency"], holder["organisation_id"], holder["awaited_by"]) == (None, BROKER, "A")
    asked = next(item for item in timeline["items"] if item["kind"] == "information_requested")
    assert asked["detail"] == {
        "request_id": "request-A",
        "reason": "to be sure",
        "questions": [{"question": 1, "text": "Why?"}, {"question": 2, "text": "Who?"}],
    }
    assert (asked["actor"], asked["due_at"]) == ("officer-1", holder["due_at"])


async def test_answered_it_returns_to_the_state_it_left_and_routing_hears(window: Window) -> None:
    title = await a_licence_that_waits(window)
    assert (await provide(window, title))["state"] == "TECH_OPINION"
    assert await window.said(title) == [
        *("DocumentSubmitted", "DocumentDecided", "InformationProvided", "DocumentDecided"),
    ]
    async with window.db.connection() as connection:
        cursor = await connection.execute("select payload from outbox where type like '%%InformationProvided'")
        ((payload,),) = await cursor.fetchall()
    said = events_pb2.InformationProvided.FromString(bytes(payload))
    assert (said.information_request_id, list(said.answers)) == ("request-A", ["Because.", "Me."])
    assert (said.agency, said.task_id, said.owner_organisation_id) == ("A", "task-A", IMPORTER)
    await tell(window, resumed(title))
    holder = (await window.timeline(title))["holder"]
    assert (holder["agency"], holder["since"][:10], holder["due_at"][:10]) == ("A", "2030-01-01", "2030-01-01")
    assert (await kinds(window, title))[-5:] == [
        *("information_requested", "request_information", "information_provided", "information_provided"),
        "task_resumed",
    ]


async def test_who_asked_and_who_answered_is_in_the_access_log(window: Window) -> None:
    title = await a_licence_that_waits(window)
    await provide(window, title)
    await provide(window, title)
    async with window.db.connection() as connection:
        found = await accesses.newest_first(connection, title, None, 10)
    entries = [json.loads(entry) for _, entry in found]
    written = [entry for entry in entries if entry["action"].endswith("_information")]
    assert [(entry["action"], entry["agency"], entry["organisation_id"]) for entry in written] == [
        ("provide_information", None, BROKER),
        ("request_information", "A", None),
    ]
    assert written[1]["actor"] == "officer-1"


async def test_from_another_state_it_returns_to_that_other_state(window: Window) -> None:
    title = await submitted(window)
    await tell(
        window,
        routing.TaskDecided(task_id="t", document_id=title, decided_at=NOW, document_event="opinion_given"),
        requested(title, "B", "ministry_decision"),
    )
    assert (await provide(window, title))["state"] == "MINISTRY_DECISION"


async def test_the_same_answers_again_are_the_same_document_and_others_are_too_late(window: Window) -> None:
    title = await a_licence_that_waits(window)
    await asyncio.gather(*(provide(window, title) for _ in range(10)))
    assert (await window.said(title)).count("InformationProvided") == 1
    await provide(window, title, a_reply(if_match='"1"'))
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await provide(window, title, a_reply("No.", "You."))


async def test_if_match_is_honoured_where_it_is_given(window: Window) -> None:
    title = await a_licence_that_waits(window)
    with pytest.raises(PreconditionFailed):
        await provide(window, title, a_reply(if_match='"1"'))
    assert (await provide(window, title, a_reply(if_match='"2"')))["state"] == "TECH_OPINION"


async def test_owner_and_agent_may_answer_and_nobody_else(window: Window) -> None:
    title = await a_licence_that_waits(window)
    with pytest.raises(NotFound):
        await provide(window, title, by=a_stranger())
    with pytest.raises(Forbidden):
        await provide(window, title, by=an_officer("A"))
    window.identity.mandates.clear()
    window.directory._mandates._known.clear()
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await provide(window, title)
    assert (await provide(window, title, by=the_importer()))["state"] == "TECH_OPINION"


@pytest.mark.parametrize(
    ("answers", "pointer"),
    [
        ([], "/answers"),
        ([(1, "a")], "/answers"),
        ([(1, "a"), (1, "b")], "/answers"),
        ([(1, "a"), (3, "b")], "/answers/1/question"),
        ([(0, "a"), (2, "b")], "/answers/0/question"),
        ([(1, "a"), (2, " ")], "/answers/1/answer"),
        ([(1, "a"), (2, "x" * (ANSWER_CHARACTERS_MAX + 1))], "/answers/1/answer"),
        ([(1, "nul\x00"), (2, "b")], "/answers/0/answer"),
    ],
)
async def test_what_is_no_answer_is_refused_with_its_place(
    window: Window, answers: list[tuple[int, str]], pointer: str
) -> None:
    title = await a_licence_that_waits(window)
    with pytest.raises(Invalid) as refused:
        await provide(window, title, Reply("", [Answer(*answer) for answer in answers]))
    assert refused.value.violations[0].pointer == pointer
    assert (await window.document(title))["state"] == "INFO_REQUESTED"


async def test_where_nobody_asks_nothing_is_answered(window: Window) -> None:
    title = await submitted(window)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await provide(window, title)
    with pytest.raises(Invalid):
        await provide(window, title, a_reply(request_id="other"))


async def test_unanswered_it_returns_and_answers_are_too_late(window: Window) -> None:
    title = await a_licence_that_waits(window)
    await tell(window, lapsed(title), resumed(title), times=3)
    assert (await window.document(title))["state"] == "TECH_OPINION"
    assert (await kinds(window, title))[-3:] == ["information_lapsed", "information_lapsed", "task_resumed"]
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await provide(window, title)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await provide(window, title, a_reply(request_id="request-A"))


async def test_a_lapse_heard_after_the_answers_is_only_on_the_timeline(window: Window) -> None:
    title = await a_licence_that_waits(window)
    await provide(window, title)
    before = await window.said(title)
    await tell(window, lapsed(title))
    assert (await window.document(title))["state"] == "TECH_OPINION"
    assert (await kinds(window, title))[-1] == "information_lapsed"
    assert await window.said(title) == before


async def test_a_withdrawal_during_a_request_ends_it(window: Window) -> None:
    title = await a_licence_that_waits(window)
    await withdraw(window, title)
    assert (await window.timeline(title))["holder"] is None
    with pytest.raises(PortolanError):
        await provide(window, title)
    await tell(window, lapsed(title))
    assert (await window.document(title))["state"] == "WITHDRAWN"


async def test_a_request_that_comes_after_the_withdrawal_is_only_noted(window: Window) -> None:
    title = await submitted(window)
    await withdraw(window, title)
    await tell(window, requested(title))
    assert (await kinds(window, title))[-1] == "note"
    with pytest.raises(Refused):
        await provide(window, title)


async def test_two_agencies_wait_and_the_last_answer_lets_the_document_go(window: Window) -> None:
    title = await an_export_that_two_wait_for(window)
    with pytest.raises(Invalid) as refused:
        await provide(window, title)
    assert refused.value.violations[0].pointer == "/request_id"
    assert (await provide(window, title, a_reply(request_id="request-A")))["state"] == "INFO_REQUESTED"
    assert (await window.timeline(title))["holder"]["awaited_by"] == "B"
    assert (await provide(window, title))["state"] == "AGENCY_CONTROL"


async def test_one_answers_and_the_other_lapses(window: Window) -> None:
    title = await an_export_that_two_wait_for(window)
    await tell(window, lapsed(title, "A"))
    assert (await window.document(title))["state"] == "INFO_REQUESTED"
    assert (await provide(window, title))["state"] == "AGENCY_CONTROL"


async def test_another_agency_may_refuse_meanwhile(window: Window) -> None:
    title = await an_export_that_two_wait_for(window)
    await tell(
        window,
        routing.TaskDecided(task_id="task-B", document_id=title, decided_at=NOW, document_event="control_refused"),
    )
    assert (await window.document(title))["state"] == "REFUSED"
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await provide(window, title, a_reply(request_id="request-A"))
    await tell(window, routing.CaseClosed(document_id=title, outcome="refuse", closed_at=NOW))
    assert (await window.timeline(title))["holder"] is None


async def test_of_a_document_that_is_not_ours_nothing_is_heard(window: Window) -> None:
    await tell(window, requested("not an id"), lapsed("not an id"))
    await tell(window, requested("01900000-0000-7000-8000-000000000000"))
    assert await window.count("select count(*) from information_requests") == 0
