"""The sweeper on a real database: once per rung, whoever looks, however late; never for what is over."""

import asyncio
from datetime import datetime, timedelta

import pytest
import time_machine
from kit.database import Database
from portolan.routing.v1.events_pb2 import DeadlineMissed, DeadlineNear
from routing import actions
from routing.actions import watching
from routing.domain import Decision, Officer
from routing.store import Rulebooks

from tests.routing.builders import (
    BANK,
    DECISION,
    FRIDAY,
    HOUR,
    MONDAY,
    OPINION,
    a_pack,
    a_type,
    hear,
    seeded,
    submitted,
    withdrawn,
    words,
)
from tests.routing.told import rows, told

pytestmark = pytest.mark.service("routing")

EXPERT = Officer("anna", "EXPERTS", "org-experts", frozenset({"agency_officer"}))
DUE = MONDAY + timedelta(days=1)


@pytest.fixture
async def books(service_database: Database) -> Rulebooks:
    return await seeded(service_database)


async def opened(database: Database, books: Rulebooks, *document_ids: str, at: datetime = MONDAY) -> None:
    with time_machine.travel(at, tick=False):
        await hear(database, books, *[submitted(document_id) for document_id in document_ids])


async def missed(database: Database) -> list[tuple[str, str]]:
    messages = [message for message in await told(database) if isinstance(message, DeadlineMissed)]
    return [(message.document_id, message.rung) for message in messages]


async def test_a_missed_deadline_is_said_once_with_when_it_was_due(
    service_database: Database, books: Rulebooks
) -> None:
    await opened(service_database, books, "doc-1")
    for now in (DUE - timedelta(seconds=1), DUE, DUE, DUE + timedelta(hours=1)):
        await actions.sweep(service_database, books, now)
    assert await missed(service_database) == [("doc-1", "due")]
    (*_, late) = await told(service_database)
    assert late.due_at.ToDatetime(tzinfo=DUE.tzinfo) == late.missed_at.ToDatetime(tzinfo=DUE.tzinfo) == DUE
    assert (late.agency, late.reference) == ("EXPERTS", "PX-doc-1")
    assert await rows(service_database, "select rung from escalations") == [("due",)]


async def test_over_a_weekend_and_a_holiday_nobody_is_late(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1", at=FRIDAY)
    await actions.sweep(service_database, books, FRIDAY + timedelta(days=3, hours=23))
    assert await missed(service_database) == []
    await actions.sweep(service_database, books, FRIDAY + timedelta(days=4))
    assert await missed(service_database) == [("doc-1", "due")]


async def test_a_week_of_downtime_tells_every_rung_in_order(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    await actions.sweep(service_database, books, MONDAY + timedelta(days=8))
    assert await missed(service_database) == [("doc-1", "due"), ("doc-1", "due+50%"), ("doc-1", "due+100%")]
    assert await actions.sweep(service_database, books, MONDAY + timedelta(days=30)) == 0


async def test_many_sweepers_at_once_tell_each_rung_once(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEEP_TIMERS_MAX", 5)
    await opened(service_database, books, *[f"doc-{number}" for number in range(40)])
    for _ in range(6):
        await asyncio.gather(*(actions.sweep(service_database, books, MONDAY + timedelta(days=8)) for _ in range(6)))
    found = await missed(service_database)
    assert len(found) == len(set(found)) == 120


async def test_a_rung_claimed_by_another_is_not_said_again(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    async with service_database.connection() as connection:
        await connection.execute("insert into escalations select id, 'due', now() from timers")
    assert await actions.sweep(service_database, books, DUE) == 1
    assert await missed(service_database) == []


async def test_what_is_decided_or_withdrawn_is_never_late(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "decided", "withdrawn")
    await hear(service_database, books, withdrawn("withdrawn"))
    task_id = (await rows(service_database, "select id from tasks where document_id = 'decided'"))[0][0]
    with time_machine.travel(MONDAY, tick=False):
        await actions.decide(service_database, books, EXPERT, task_id, Decision("anna", "favourable"))
    await actions.sweep(service_database, books, MONDAY + timedelta(hours=10))
    late = [message.agency for message in await told(service_database) if isinstance(message, DeadlineMissed)]
    assert set(late) == {"MINISTRY"}
    clocks = "select timers.state from timers join tasks on tasks.id = timers.task_id where step = 'opinion'"
    assert await rows(service_database, clocks) == [("CANCELLED",), ("CANCELLED",)]


async def test_a_case_somebody_is_deciding_is_left_to_the_next_sweep(
    service_database: Database, books: Rulebooks
) -> None:
    await opened(service_database, books, "doc-1")
    async with service_database.transaction() as tx:
        await tx.execute("select 1 from cases for update")
        assert await actions.sweep(service_database, books, DUE) == 0
    assert await actions.sweep(service_database, books, DUE) == 1


async def test_a_crash_between_claim_and_commit_leaves_no_trace(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(service_database, books, "doc-1")

    async def crash(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(watching, "say_climbed", crash)
        with pytest.raises(RuntimeError):
            await actions.sweep(service_database, books, DUE)
    assert await rows(service_database, "select count(*) from escalations") == [(0,)]
    await actions.sweep(service_database, books, DUE)
    assert await missed(service_database) == [("doc-1", "due")]


async def test_the_watch_sweeps_until_told_to_stop(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    stop = asyncio.Event()
    watching_task = asyncio.create_task(actions.watch(service_database, books, stop))
    for _ in range(100):
        if await missed(service_database):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(watching_task, 5)
    assert await missed(service_database) != []


LADDER = [
    {"key": "half", "at": "0.5", "notify": ["agency"], "labels": words("half")},
    {"key": "due", "at": "1.0", "notify": ["agency", "owner"], "labels": words("due")},
    {"key": "later", "after_seconds": HOUR, "notify": ["supervisor", "operator"], "labels": words("later")},
]


async def climbed(database: Database) -> list[tuple[str, str, list[str]]]:
    kinds = (DeadlineNear, DeadlineMissed)
    messages = [message for message in await told(database) if isinstance(message, kinds)]
    return [(type(one).__name__, one.rung, list(one.notify)) for one in messages]


async def test_the_packs_own_ladder_says_who_hears_and_when(service_database: Database) -> None:
    books = await seeded(service_database, a_pack(ladder=LADDER))
    await opened(service_database, books, "doc-1")
    for hours in (3, 4, 5):
        await actions.sweep(service_database, books, MONDAY + timedelta(hours=hours))
    near = ("DeadlineNear", "half", ["agency"])
    assert await climbed(service_database) == [near]
    await actions.sweep(service_database, books, DUE)
    await actions.sweep(service_database, books, DUE + timedelta(hours=1))
    assert await climbed(service_database) == [
        near,
        ("DeadlineMissed", "due", ["agency", "owner"]),
        ("DeadlineMissed", "later", ["supervisor", "operator"]),
    ]
    (*_, last) = await told(service_database)
    assert (last.step, last.document_type, dict(last.labels)) == ("opinion", "permit.licence", words("later"))


async def test_a_steps_own_ladder_comes_before_the_packs(service_database: Database) -> None:
    licence = a_type("permit.licence", {**OPINION, "ladder": LADDER[:1]}, DECISION, BANK)
    books = await seeded(service_database, a_pack(ladder=LADDER, document_types={"permit.licence": licence}))
    await opened(service_database, books, "doc-1")
    await actions.sweep(service_database, books, MONDAY + timedelta(days=30))
    assert await climbed(service_database) == [("DeadlineNear", "half", ["agency"])]


async def test_the_due_moment_of_the_whole_document_is_said(service_database: Database, books: Rulebooks) -> None:
    """Eight hours of opinion, four of decision, four of the bank."""
    await opened(service_database, books, "doc-1")
    opening, task = await told(service_database)
    whole = MONDAY + timedelta(days=2)
    assert opening.due_at.ToDatetime(tzinfo=whole.tzinfo) == whole
    assert task.document_due_at.ToDatetime(tzinfo=whole.tzinfo) == whole
