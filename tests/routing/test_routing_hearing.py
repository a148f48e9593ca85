"""Events heard on a real database: twice, late, in the wrong order, half way."""

import asyncio
from typing import Any

import msgspec
import pytest
from kit import ids
from kit.consumer import Consumer
from kit.database import Database
from kit.errors import Conflict, Malformed, Unavailable
from kit.events import Event
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import events_pb2 as said
from psycopg.errors import CheckViolation, UniqueViolation
from routing import events
from routing.store import Rulebooks, case_of_document, load_pack

from tests.routing.builders import (
    MONDAY,
    OPINION,
    a_pack,
    a_submission,
    a_type,
    hear,
    seeded,
    submitted,
    withdrawn,
    words,
)
from tests.routing.told import rows, told

pytestmark = pytest.mark.service("routing")


@pytest.fixture
async def books(service_database: Database) -> Rulebooks:
    return await seeded(service_database)


async def test_a_submission_opens_its_case_with_tasks_and_clocks(service_database: Database, books: Rulebooks) -> None:
    await hear(service_database, books, submitted(type="permit.control", hs_codes=["100190"]))
    async with service_database.transaction() as tx:
        case = await case_of_document(tx, "doc-1")
    assert case is not None
    assert case.rules == ("FOOD", "PLANT", "LATER")
    assert case.document == a_submission(type="permit.control", hs_codes=["100190"])
    assert [(task.agency, task.state, task.timer.state) for task in case.tasks] == [
        ("FOOD", "OPEN", "ARMED"),
        ("PLANT", "OPEN", "ARMED"),
    ]
    opened, *tasks = await told(service_database)
    assert isinstance(opened, said.CaseOpened)
    assert (opened.document_id, opened.channel, list(opened.rules)) == ("doc-1", "orange", list(case.rules))
    assert [(task.agency, task.document_event) for task in tasks] == [("FOOD", "start_control"), ("PLANT", "")]


STAGED: dict[str, Any] = {
    "states": [
        {"key": "DRAFT", "labels": words("draft")},
        {"key": "REGISTERED", "labels": words("registered")},
    ],
    "initial_state": "DRAFT",
    "transitions": [{"from": "DRAFT", "event": "sent", "actor": "applicant", "to": "REGISTERED"}],
    "stages": [
        {"key": "all", "labels": words("all"), "in": "DRAFT", "fields": ["/"], "events": [{"event": "sent"}]}
        | {"opens_case": True}
    ],
}


async def test_a_document_filed_in_stages_has_no_case_before_it_is_whole(service_database: Database) -> None:
    staged = a_pack(document_types={"permit.licence": {**a_type("permit.licence", OPINION), **STAGED}})
    books = await seeded(service_database, staged)
    await hear(service_database, books, submitted())
    assert await rows(service_database, "select count(*) from cases") == [(0,)]
    whole = completed(submitted())
    await hear(service_database, books, whole, whole)
    assert await rows(service_database, "select count(*) from tasks") == [(1,)]
    assert len(await told(service_database)) == 2


async def test_withdrawn_before_it_was_whole_it_never_has_a_task(service_database: Database) -> None:
    staged = a_pack(document_types={"permit.licence": {**a_type("permit.licence", OPINION), **STAGED}})
    books = await seeded(service_database, staged)
    await hear(service_database, books, submitted(), withdrawn(), completed(submitted()))
    assert await rows(service_database, "select state, outcome from cases") == [("CLOSED", "withdrawn")]
    assert await rows(service_database, "select count(*) from tasks") == [(0,)]


def completed(submission: intake.DocumentSubmitted) -> intake.DocumentCompleted:
    said_again = {
        field.name: getattr(submission, field.name)
        for field in intake.DocumentCompleted.DESCRIPTOR.fields
        if field.name in intake.DocumentSubmitted.DESCRIPTOR.fields_by_name
    }
    return intake.DocumentCompleted(**said_again)


async def test_heard_twice_a_document_has_one_case(service_database: Database, books: Rulebooks) -> None:
    await hear(service_database, books, submitted(), submitted())
    assert await rows(service_database, "select count(*) from cases") == [(1,)]
    assert await rows(service_database, "select count(*) from tasks") == [(1,)]
    assert len(await told(service_database)) == 2


async def test_twenty_consumers_at_once_open_one_case(service_database: Database, books: Rulebooks) -> None:
    await asyncio.gather(*(hear(service_database, books, submitted()) for _ in range(20)))
    assert len(await told(service_database)) == 2
    assert await rows(service_database, "select count(*) from timers") == [(1,)]


async def test_withdrawal_ends_case_tasks_and_clocks_in_one_commit(
    service_database: Database, books: Rulebooks
) -> None:
    await hear(service_database, books, submitted(), withdrawn(), withdrawn())
    states = (
        "select cases.state, cases.outcome, tasks.state, timers.state, timers.next_rung_at from cases, tasks, timers"
    )
    assert await rows(service_database, states) == [("CLOSED", "withdrawn", "CANCELLED", "CANCELLED", None)]
    assert [type(message).__name__ for message in await told(service_database)] == [
        "CaseOpened",
        "TaskOpened",
        "CaseClosed",
    ]


async def test_a_withdrawal_that_overtakes_its_submission_leaves_nothing_open(
    service_database: Database, books: Rulebooks
) -> None:
    await hear(service_database, books, withdrawn(), submitted(), withdrawn())
    assert await rows(service_database, "select state, outcome from cases") == [("CLOSED", "withdrawn")]
    assert await rows(service_database, "select count(*) from tasks") == [(0,)]
    assert await told(service_database) == []


async def test_an_automatic_approval_is_stored_decided(service_database: Database, books: Rulebooks) -> None:
    await hear(service_database, books, submitted(type="permit.control", hs_codes=["851712"], amount_minor=1))
    assert await rows(service_database, "select agency, state, decided_by from tasks order by position") == [
        ("RADIO", "DECIDED", "system"),
        ("BANK-1", "OPEN", ""),
    ]


async def test_a_document_born_under_an_older_pack_keeps_it(service_database: Database, books: Rulebooks) -> None:
    await hear(service_database, books, submitted("before"))
    newer = a_pack("2", routing={"version": "r2", "effective_from": "2026-06-01", "rules": []})
    async with service_database.transaction() as tx:
        await load_pack(tx, newer)
    late = submitted("after")
    late.pack_version = "2"
    await hear(service_database, books, submitted("between"), late)
    assert await rows(service_database, "select document_id, rules from cases order by document_id") == [
        ("after", []),
        ("before", ["LICENCE"]),
        ("between", ["LICENCE"]),
    ]


async def test_an_unknown_version_waits_for_its_seed(service_database: Database, books: Rulebooks) -> None:
    early = submitted()
    early.pack_version = "3"
    with pytest.raises(Unavailable):
        await hear(service_database, books, early)
    async with service_database.transaction() as tx:
        await load_pack(tx, a_pack("3"))
    await hear(service_database, books, early)
    assert await rows(service_database, "select pack_version from cases") == [("3",)]


async def test_the_same_pack_is_loaded_once_and_a_changed_one_is_refused(service_database: Database) -> None:
    async with service_database.transaction() as tx:
        assert await load_pack(tx, a_pack()) is True
        assert await load_pack(tx, a_pack()) is False
    with pytest.raises(Conflict, match="PACK_VERSION_TAKEN"):
        async with service_database.transaction() as tx:
            await load_pack(tx, a_pack(routing={"version": "r1", "effective_from": "2026-01-01", "rules": []}))


async def test_facts_that_are_no_object_are_malformed(service_database: Database, books: Rulebooks) -> None:
    for raw in (b"[]", b"{", b'{"a": NaN}'):
        broken = submitted()
        broken.facts_json = raw
        with pytest.raises(Malformed):
            await hear(service_database, books, broken)


class Fed:
    """A subscription that gives what it was made with, once."""

    def __init__(self, *messages: Any) -> None:
        self.events = [_event(message) for message in messages]

    async def poll(self, events_max: int, wait_s: float) -> list[Event]:
        return self.events[:events_max]

    async def commit(self, events: Any) -> None:
        self.events = self.events[len(events) :]

    async def close(self) -> None: ...


def _event(message: Any) -> Event:
    payload = message if isinstance(message, bytes) else message.SerializeToString()
    kind = intake.DocumentSubmitted if isinstance(message, bytes) else type(message)
    key = "" if isinstance(message, bytes) else message.document_id
    return Event(ids.new_id(), events.TOPICS[0], key, kind.DESCRIPTOR.full_name, MONDAY, payload, "")


async def test_a_batch_through_the_consumer_with_a_poison_event_in_it(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0.001)
    unroutable = submitted("bad", type="permit.control", hs_codes=["640399"], agency_bank=None)
    fed = Fed(submitted("one"), unroutable, submitted("two"), b"\xff\xff", withdrawn("one"), submitted("two"))
    consumer = Consumer(service_database, fed, events.GROUP, events.handlers(books))
    assert await consumer.step(0) == 6
    assert await rows(service_database, "select document_id, state from cases order by 1") == [
        ("one", "CLOSED"),
        ("two", "OPEN"),
    ]
    assert await rows(service_database, "select count(*) from dead_letters") == [(2,)]


async def test_the_database_itself_refuses_two_live_signatures_of_one_person(
    service_database: Database, books: Rulebooks
) -> None:
    await hear(service_database, books, submitted())
    insert = """
        insert into signatures (id, task_id, person, outcome, reason_code, comment, conditions, request_id, signed_at)
        select %s, id, 'anna', 'grant', '', '', '', '', now() from tasks
    """
    async with service_database.connection() as connection:
        await connection.execute(insert, ["a"])
        with pytest.raises(UniqueViolation):
            await connection.execute(insert, ["b"])
        with pytest.raises(CheckViolation):
            await connection.execute("update tasks set state = 'DECIDED'")


async def test_replaying_what_is_stored_gives_the_same_rules(service_database: Database, books: Rulebooks) -> None:
    for number, codes in enumerate((["100190"], ["401200"], ["120190", "851712"], ["930100"])):
        await hear(service_database, books, submitted(f"doc-{number}", type="permit.control", hs_codes=codes))
    stored = await rows(
        service_database, "select pack_version, facts::text, rules, risk_score, channel, explanation::text from cases"
    )
    fresh = Rulebooks(service_database)
    for version, facts, rules, score, channel, explanation in stored:
        table = (await fresh.of(version)).table
        plan = table.plan(msgspec.json.decode(facts))
        assert [rule.id for rule in plan.rules] == rules
        assert (plan.score, plan.lane.channel) == (score, channel)
        assert msgspec.json.decode(explanation)["table_version"] == table.version


async def test_a_cancellation_ends_the_case_as_such(service_database: Database, books: Rulebooks) -> None:
    cancelled = intake.DocumentCancelled(document_id="doc-1", reference="R", type="permit", to_state="CANCELLED")
    await hear(service_database, books, submitted(), cancelled, cancelled, withdrawn())
    assert await rows(service_database, "select state, outcome from cases") == [("CLOSED", "cancelled")]
