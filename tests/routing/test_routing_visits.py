"""Visits as their callers and the database know them: who may speak, what is kept with what, and what cannot be."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from kit.auth import Principal, set_caller
from kit.database import Database
from kit.errors import Forbidden, Malformed, NotFound, PortolanError, Refused
from kit.testing import a_principal
from kit.wire import timestamp
from portolan.routing.v1 import events_pb2
from portolan.routing.v1 import routing_pb2 as pb
from routing import actions
from routing.api import RoutingService

from tests.routing.builders import MONDAY, Everybody, hear, seeded, submitted, withdrawn
from tests.routing.controls import a_control_pack
from tests.routing.told import rows, told

pytestmark = pytest.mark.service("routing")

TUESDAY = MONDAY + timedelta(days=1)
OWNER = a_principal("declarant", organisation_id="owner")
AGENT = a_principal("declarant", organisation_id="submitter")
STRANGER = a_principal("declarant", organisation_id="somebody")
OVERSEER = a_principal("operator_admin", organisation_id="operator", kind="operator")


def an_officer(agency: str, organisation: str = "", role: str = "agency_officer") -> Principal:
    own = organisation or f"org-{agency}"
    return a_principal(role, organisation_id=own, kind="agency", agency=agency, person=f"of-{agency}")


PLANT, FOOD = an_officer("PLANT"), an_officer("FOOD")


class Counter:
    """The service, with somebody before it, at a moment."""

    def __init__(self, database: Database, books: Any) -> None:
        self.database, self.books, self.mandates = database, books, Everybody()
        self.service = RoutingService(database, books, self.mandates)
        self.now, self.keys = MONDAY, 0

    async def ask(self, who: Principal, method: str, request: Any) -> Any:
        set_caller(who)
        with time_machine.travel(self.now, tick=False):
            return await getattr(self.service, method)(request, None)

    async def decide(self, who: Principal, step: str, outcome: str, document_id: str = "doc-1", **other: Any) -> None:
        query = (
            f"select id from tasks where agency = '{who.agency}' and step = '{step}' "  # noqa: S608
            f"and document_id = '{document_id}' order by opened_at desc limit 1"
        )
        task_id = (await rows(self.database, query))[0][0]
        await self.ask(who, "DecideTask", pb.DecideTaskRequest(id=task_id, outcome=outcome, **other))
        self.now += timedelta(minutes=1)

    async def propose(self, who: Principal, at: datetime = TUESDAY, **other: Any) -> pb.Visit:
        self.keys += 1
        known = {"document_id": "doc-1", "place": "Quay 3", "request_id": f"key-{self.keys}", **other}
        ends_at = timestamp(at + timedelta(hours=1))
        request = pb.ProposeVisitRequest(starts_at=timestamp(at), ends_at=ends_at, **known)
        visit: pb.Visit = (await self.ask(who, "ProposeVisit", request)).visit
        return visit

    async def confirm(self, who: Principal, visit_id: str) -> pb.Visit:
        visit: pb.Visit = (await self.ask(who, "ConfirmVisit", pb.ConfirmVisitRequest(id=visit_id))).visit
        return visit

    async def miss(self, who: Principal, visit_id: str, party: str) -> pb.Visit:
        request = pb.ReportNoShowRequest(id=visit_id, party=party)
        visit: pb.Visit = (await self.ask(who, "ReportNoShow", request)).visit
        return visit

    async def record(self, who: Principal, visit_id: str, findings: str = "as declared") -> pb.Visit:
        request = pb.RecordVisitRequest(id=visit_id, findings=findings)
        visit: pb.Visit = (await self.ask(who, "RecordVisit", request)).visit
        return visit

    async def agreed(self, at: datetime = TUESDAY) -> pb.Visit:
        visit = await self.propose(OWNER, at)
        await self.confirm(PLANT, visit.id)
        return await self.confirm(FOOD, visit.id)

    async def visits(self, who: Principal, document_id: str = "doc-1") -> list[pb.Visit]:
        return list((await self.ask(who, "ListVisits", pb.ListVisitsRequest(document_id=document_id))).visits)

    async def no_shows(self, who: Principal, **page: Any) -> pb.ListNoShowsResponse:
        found: pb.ListNoShowsResponse = await self.ask(who, "ListNoShows", pb.ListNoShowsRequest(**page))
        return found


@pytest.fixture
async def counter(service_database: Database) -> Counter:
    counter = Counter(service_database, await seeded(service_database, a_control_pack()))
    with time_machine.travel(MONDAY, tick=False):
        facts = {"hs_codes": ["100100"], "characteristics": []}
        await hear(service_database, counter.books, submitted("doc-1", "check", **facts))
    for who in (PLANT, FOOD):
        await counter.decide(who, "review", "visit")
    return counter


async def said(counter: Counter, kind: type[Any]) -> list[Any]:
    return [message for message in await told(counter.database) if isinstance(message, kind)]


async def test_a_visit_is_agreed_kept_and_told_of(counter: Counter) -> None:
    visit = await counter.agreed()
    assert (visit.state, visit.number, [party.party for party in visit.parties]) == (
        "CONFIRMED",
        1,
        ["operator", "PLANT", "FOOD"],
    )
    confirmed = await said(counter, events_pb2.VisitConfirmed)
    assert [(one.party, one.document_event, one.is_agreed) for one in confirmed] == [
        ("PLANT", "", False),
        ("FOOD", "confirm", True),
    ]
    (proposed,) = await said(counter, events_pb2.VisitProposed)
    assert (proposed.document_event, list(proposed.agencies), proposed.place) == (
        "propose",
        ["PLANT", "FOOD"],
        "Quay 3",
    )


async def test_the_last_agency_to_record_lets_the_case_go_on(counter: Counter) -> None:
    visit = await counter.agreed()
    for who in (PLANT, FOOD):
        visit = await counter.record(who, visit.id)
    assert visit.state == "DONE"
    decided = [one.document_event for one in await said(counter, events_pb2.TaskDecided) if one.step == "visit"]
    assert decided == ["", "done"]
    await counter.decide(PLANT, "findings", "sample")
    await counter.decide(FOOD, "findings", "conform")
    laboratory = an_officer("PLANT-LAB")
    await counter.decide(laboratory, "laboratory", "non_conform")
    results = await said(counter, events_pb2.ControlResult)
    assert [(one.agency, one.result, one.owner_organisation_id) for one in results] == [
        ("PLANT-LAB", "non_conform", "owner")
    ]


async def test_what_is_not_yours_does_not_exist(counter: Counter) -> None:
    visit = await counter.propose(AGENT)
    own = an_officer("PLANT", organisation="owner")
    for who in (STRANGER, an_officer("RADIO"), own):
        with pytest.raises(NotFound):
            await counter.propose(who)
        with pytest.raises(NotFound):
            await counter.confirm(who, visit.id)
        with pytest.raises(NotFound):
            await counter.miss(who, visit.id, "FOOD")
        with pytest.raises(NotFound):
            await counter.record(who, visit.id)
    for who in (STRANGER, an_officer("RADIO")):
        with pytest.raises(NotFound):
            await counter.visits(who)
    with pytest.raises(NotFound):
        await counter.visits(OWNER, "doc-2")
    for who in (OWNER, AGENT, PLANT, OVERSEER):
        assert [one.id for one in await counter.visits(who)] == [visit.id]


async def test_an_agent_speaks_only_under_a_mandate(counter: Counter) -> None:
    visit = await counter.propose(OWNER)
    assert counter.mandates.asked == []
    await counter.confirm(AGENT, visit.id)
    assert counter.mandates.asked == [actions.Mandate("owner", "submitter", "check")]
    counter.mandates.revoked = True
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await counter.ask(AGENT, "DeclineVisit", pb.DeclineVisitRequest(id=visit.id, reason="not today"))
    assert [one.state for one in await counter.visits(OWNER)] == ["PROPOSED"]


async def test_of_many_who_propose_at_once_one_is_heard(counter: Counter) -> None:
    attempts = [counter.propose(who) for who in (OWNER, PLANT, FOOD, OWNER, PLANT, FOOD)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(answer, pb.Visit) for answer in answers) == 1
    assert all(isinstance(answer, pb.Visit | Refused) for answer in answers)
    assert len(await said(counter, events_pb2.VisitProposed)) == 1


async def test_the_same_key_again_is_the_same_visit(counter: Counter) -> None:
    first = await counter.propose(OWNER, request_id="once")
    again = await counter.propose(OWNER, request_id="once")
    assert (again.id, len(await said(counter, events_pb2.VisitProposed))) == (first.id, 1)


async def test_an_appointment_ends_with_its_case(counter: Counter) -> None:
    visit = await counter.agreed()
    with time_machine.travel(TUESDAY, tick=False):
        await hear(counter.database, counter.books, withdrawn())
    assert [one.state for one in await counter.visits(OWNER)] == ["CANCELLED"]
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await counter.record(PLANT, visit.id)


async def test_who_did_not_come_is_listed_to_whom_it_concerns(counter: Counter) -> None:
    visit = await counter.agreed()
    counter.now = TUESDAY
    await counter.miss(FOOD, visit.id, "operator")
    await counter.miss(OWNER, visit.id, "PLANT")
    listed = {
        name: [one.party for one in (await counter.no_shows(who)).no_shows]
        for name, who in {
            **{"owner": OWNER, "agent": AGENT, "food": FOOD, "plant": PLANT},
            **{"stranger": STRANGER, "overseer": OVERSEER},
        }.items()
    }
    assert {name: sorted(parties) for name, parties in listed.items()} == {
        "owner": ["PLANT", "operator"],
        "agent": ["PLANT", "operator"],
        "food": ["operator"],
        "plant": ["PLANT"],
        "stranger": [],
        "overseer": ["PLANT", "operator"],
    }
    missed = await said(counter, events_pb2.VisitMissed)
    assert [(one.party, one.told_by, one.document_event) for one in missed] == [
        ("operator", "FOOD", "no_show"),
        ("PLANT", "operator", ""),
    ]


async def test_absences_come_in_pages(counter: Counter) -> None:
    visit = await counter.agreed()
    counter.now = TUESDAY
    for absent in ("operator", "PLANT"):
        await counter.miss(FOOD, visit.id, absent)
    first = await counter.no_shows(OVERSEER, limit=1)
    second = await counter.no_shows(OVERSEER, limit=1, cursor=first.next_cursor)
    assert len({one.id for one in (*first.no_shows, *second.no_shows)}) == 2
    assert (bool(first.next_cursor), second.next_cursor) == (True, "")
    with pytest.raises(Malformed):
        await counter.no_shows(OVERSEER, cursor="else")


async def test_absences_are_for_ever(counter: Counter) -> None:
    visit = await counter.agreed()
    counter.now = TUESDAY
    await counter.miss(FOOD, visit.id, "operator")
    for statement in ("delete from no_shows", "update no_shows set party = 'PLANT'"):
        with pytest.raises(psycopg.Error, match="never changed"):
            async with counter.database.transaction() as tx:
                await tx.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "update visits set state = 'CONFIRMED'",
        "update visits set state = 'DONE', closed_at = now()",
        "update visits set closed_at = now()",
        "insert into visits select 'other', case_id, document_id, 2, step, place, starts_at, ends_at, proposed_by, "
        "person, proposed_at, 'other', state, ended_by, reason, closed_at from visits",
        "insert into no_shows select 'n', id, document_id, 'o', 's', 'operator', 'operator', 'p', now() from visits",
        "update visit_parties set recorded_at = now(), recorded_by = 'anna' where party = 'FOOD'",
    ],
)
async def test_the_database_refuses_what_the_rules_forbid(counter: Counter, statement: str) -> None:
    await counter.propose(OWNER)
    with pytest.raises(psycopg.Error):
        async with counter.database.transaction() as tx:
            await tx.execute(statement)


async def test_a_word_that_is_not_kept_was_not_said(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies between the effect and its telling leaves neither."""
    visit = await counter.propose(OWNER)
    await counter.confirm(PLANT, visit.id)
    before = await told(counter.database)

    async def dies(*_: Any) -> None:
        raise PortolanError("INTERNAL")

    with monkeypatch.context() as patch:
        patch.setattr(actions.visiting, "say", dies)
        with pytest.raises(PortolanError):
            await counter.confirm(FOOD, visit.id)
    assert (await counter.visits(OWNER))[0].state == "PROPOSED"
    assert len(await told(counter.database)) == len(before)
    assert (await counter.confirm(FOOD, visit.id)).state == "CONFIRMED"
