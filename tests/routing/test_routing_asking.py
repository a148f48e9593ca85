"""Asking the operator on a real database and through the RPCs: locked, once, remembered, said."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from kit.auth import Principal, set_caller
from kit.database import Database
from kit.errors import Forbidden, Invalid, NotFound, PortolanError, Refused
from kit.testing import a_principal
from portolan.routing.v1 import routing_pb2 as pb
from psycopg.errors import UniqueViolation
from routing import actions
from routing.actions import asking
from routing.api import RoutingService
from routing.store import Rulebooks

from tests.routing.builders import EVERYBODY, MONDAY, hear, provided, seeded, submitted, withdrawn
from tests.routing.told import rows, told

pytestmark = pytest.mark.service("routing")


def an_officer(agency: str, person: str = "anna", role: str = "agency_officer", **other: Any) -> Principal:
    return a_principal(role, organisation_id=f"org-{agency}", kind="agency", agency=agency, person=person, **other)


EXPERT, COLLEAGUE = an_officer("EXPERTS"), an_officer("EXPERTS", "bilal")
TERM = timedelta(days=2)


class Desk:
    def __init__(self, database: Database, books: Rulebooks) -> None:
        self.database, self.books = database, books
        self.service = RoutingService(database, books, EVERYBODY)

    async def open(self, document_id: str = "doc-1", **other: Any) -> str:
        """Answers its first task."""
        with time_machine.travel(MONDAY, tick=False):
            await hear(self.database, self.books, submitted(document_id, **other))
        found = await rows(self.database, "select document_id, id from tasks where position = 0")
        return str(dict(found)[document_id])

    async def ask(self, task_id: str, who: Principal = EXPERT, *questions: str, reason: str = "to be sure") -> pb.Task:
        set_caller(who)
        request = pb.RequestInformationRequest(id=task_id, questions=questions or ("Why?",), reason=reason)
        with time_machine.travel(MONDAY, tick=False):
            return (await self.service.RequestInformation(request, None)).task

    async def task(self, task_id: str, who: Principal = EXPERT) -> pb.Task:
        set_caller(who)
        return (await self.service.GetTask(pb.GetTaskRequest(id=task_id), None)).task

    async def queue(self, state: str = "") -> list[str]:
        set_caller(EXPERT)
        return [task.id for task in (await self.service.ListTasks(pb.ListTasksRequest(state=state), None)).tasks]

    async def said(self) -> list[str]:
        return [type(message).__name__ for message in await told(self.database)]


@pytest.fixture
async def desk(service_database: Database) -> Desk:
    return Desk(service_database, await seeded(service_database))


async def test_a_request_is_said_with_all_that_the_operator_must_know(desk: Desk) -> None:
    task_id = await desk.open()
    assert (await desk.task(task_id)).may_request_information
    task = await desk.ask(task_id, EXPERT, "Why?", "And since when?")
    assert (task.state, task.information.state, list(task.outcomes)) == ("WAITING", "OPEN", [])
    assert not task.may_request_information
    said = (await told(desk.database))[-1]
    assert (said.task_id, said.agency, said.step, said.document_event) == (task_id, "EXPERTS", "opinion", "ask")
    assert (list(said.questions), said.reason, said.requested_by) == (["Why?", "And since when?"], "to be sure", "anna")
    assert said.due_at == task.information.due_at
    assert said.information_request_id == task.information.id


async def test_it_leaves_the_queue_until_it_comes_back_with_the_answers(desk: Desk) -> None:
    task_id = await desk.open()
    await desk.ask(task_id)
    assert (await desk.queue(), await desk.queue("WAITING"), await desk.queue("DECIDED")) == ([], [task_id], [])
    information_id = (await desk.task(task_id)).information.id
    await hear(desk.database, desk.books, *[provided("doc-1", information_id, "Because.")] * 3)
    assert (await desk.queue(), await desk.queue("WAITING")) == ([task_id], [])
    task = await desk.task(task_id)
    assert (task.state, list(task.information.answers), task.information.state) == ("OPEN", ["Because."], "PROVIDED")
    assert (await desk.said()).count("TaskResumed") == 1


async def test_the_same_request_many_times_at_once_is_one(desk: Desk) -> None:
    task_id = await desk.open()
    answers = await asyncio.gather(*(desk.ask(task_id) for _ in range(10)))
    assert len({answer.information.id for answer in answers}) == 1
    assert (await desk.said()).count("InformationRequested") == 1


async def test_of_two_colleagues_at_once_one_asks(desk: Desk) -> None:
    task_id = await desk.open()
    asked = [desk.ask(task_id, EXPERT, "Why?"), desk.ask(task_id, COLLEAGUE, "Where?")]
    found = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in found if isinstance(one, PortolanError)]
    assert [one.code for one in refused] == ["ALREADY_ASKED"]
    assert await rows(desk.database, "select count(*) from information_requests") == [(1,)]


async def test_the_database_itself_refuses_a_second_request_of_an_agency(desk: Desk) -> None:
    task_id = await desk.open("doc-1", type="permit.control", hs_codes=["100100"], origin="CC")
    await desk.ask(task_id, an_officer("FOOD"))
    async with desk.database.connection() as connection:
        with pytest.raises(UniqueViolation, match="information_requests_document_id_agency_key"):
            await connection.execute(
                """
                insert into information_requests
                select 'other', tasks.id, asked.document_id, asked.agency, asked.person, asked.reason, asked.questions,
                    asked.answers, asked.state, asked.requested_at, asked.due_at, asked.closed_at
                from information_requests asked, tasks
                where tasks.id <> asked.task_id
                """
            )


@pytest.mark.parametrize(
    ("questions", "reason", "pointer"),
    [
        ((), "r", "/questions"),
        (("why",) * 11, "r", "/questions"),
        (("why", " "), "r", "/questions/1"),
        (("x" * 1001,), "r", "/questions/0"),
        (("nul\x00",), "r", "/questions/0"),
        (("why",), "", "/reason"),
        (("why",), "x" * 1001, "/reason"),
    ],
)
async def test_what_is_no_request_is_refused_with_its_place(
    desk: Desk, questions: tuple[str, ...], reason: str, pointer: str
) -> None:
    task_id = await desk.open()
    set_caller(EXPERT)
    with pytest.raises(Invalid) as refused:
        await desk.service.RequestInformation(
            pb.RequestInformationRequest(id=task_id, questions=questions, reason=reason), None
        )
    assert refused.value.violations[0].pointer == pointer


async def test_who_may_not_decide_may_not_ask(desk: Desk) -> None:
    task_id = await desk.open()
    with pytest.raises(NotFound):
        await desk.ask(task_id, an_officer("MINISTRY"))
    with pytest.raises(Forbidden):
        await desk.ask(task_id, an_officer("EXPERTS", role="bank_officer"))
    owner = a_principal("agency_officer", organisation_id="owner", kind="agency", agency="EXPERTS")
    with pytest.raises(Forbidden):
        await desk.ask(task_id, owner)


async def test_a_decision_on_a_task_that_waits_is_refused(desk: Desk) -> None:
    task_id = await desk.open()
    await desk.ask(task_id)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await desk.service.DecideTask(pb.DecideTaskRequest(id=task_id, outcome="favourable"), None)


async def test_many_sweepers_let_each_request_lapse_once_however_late(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LAPSE_DOCUMENTS_MAX", 3)
    for number in range(10):
        await desk.ask(await desk.open(f"doc-{number}"))
    assert await actions.lapse(desk.database, desk.books, MONDAY + TERM - timedelta(seconds=1)) == 0
    late = MONDAY + timedelta(days=9)
    for _ in range(5):
        await asyncio.gather(*(actions.lapse(desk.database, desk.books, late) for _ in range(5)))
    said = await desk.said()
    assert (said.count("InformationLapsed"), said.count("TaskResumed")) == (10, 10)
    assert await actions.lapse(desk.database, desk.books, late) == 0
    assert await rows(desk.database, "select distinct state from timers") == [("ARMED",)]


async def test_while_the_operator_is_waited_for_no_deadline_is_missed(desk: Desk) -> None:
    await desk.ask(await desk.open())
    assert await actions.sweep(desk.database, desk.books, MONDAY + timedelta(days=60)) == 0


async def test_a_withdrawal_during_a_request_ends_it(desk: Desk) -> None:
    task_id = await desk.open()
    information_id = (await desk.ask(task_id)).information.id
    await hear(desk.database, desk.books, withdrawn(), provided("doc-1", information_id))
    task = await desk.task(task_id)
    assert (task.state, list(task.information.answers)) == ("CANCELLED", ["Because."])
    assert await actions.lapse(desk.database, desk.books, MONDAY + timedelta(days=60)) == 0
    assert "TaskResumed" not in await desk.said()


async def test_answers_to_what_nobody_asked_change_nothing(desk: Desk) -> None:
    await desk.open()
    before = await desk.said()
    await hear(desk.database, desk.books, provided("doc-1", "unknown"), provided("doc-2", "unknown"))
    await hear(desk.database, desk.books, withdrawn("doc-3"), provided("doc-3", "unknown"))
    assert await desk.said() == before
