"""Silence: what the law takes it for is decided once, on time or late, and never where somebody must speak."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from kit.database import Database
from kit.errors import Refused
from packs.model import Pack
from portolan.routing.v1.events_pb2 import TaskDecided, TaskOpened
from routing import actions
from routing.actions import parking, silence
from routing.actions.said import say
from routing.domain import (
    SILENCE,
    SYSTEM,
    CaseState,
    Decision,
    Officer,
    Rulebook,
    TaskState,
    TimerState,
    fall_silent,
)
from routing.domain import TaskDecided as Decided
from routing.store import Rulebooks

from tests.routing.builders import (
    BANK,
    CONTROL,
    DECISION,
    HOUR,
    MONDAY,
    OPINION,
    Walk,
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

FAVOURABLE = {"outcome": "favourable", "seconds": 16 * HOUR, "calendar": "working", "basis": words("the law")}
GRANT = {**FAVOURABLE, "outcome": "grant"}
DUE = MONDAY + timedelta(days=2)
EXPERT = Officer("anna", "EXPERTS", "org-experts", frozenset({"agency_officer"}))


def a_lenient_pack(*, opinion: Any = FAVOURABLE, decision: Any = None, control: Any = None) -> Pack:
    licence = a_type("permit.licence", {**OPINION, "tacit": opinion}, {**DECISION, "tacit": decision}, BANK)
    return a_pack(
        document_types={
            "permit.licence": licence,
            "permit.control": a_type("permit.control", {**CONTROL, "tacit": control}, BANK),
        }
    )


def silent(walk: Walk, now: datetime) -> list[Any]:
    walk.case, facts = fall_silent(walk.case, walk.procedure, now, walk.new_id)
    return facts


def a_walk(pack: Pack, **facts: Any) -> Walk:
    return Walk(a_submission(**facts), Rulebook.of(pack))


def test_silence_decides_when_its_term_has_passed_and_not_a_second_before() -> None:
    walk = a_walk(a_lenient_pack())
    assert silent(walk, DUE - timedelta(seconds=1)) == []
    (decided, *_) = silent(walk, DUE)
    task = walk.task("EXPERTS")
    assert (task.state, task.outcome, task.decided_by, task.reason_code) == (
        TaskState.DECIDED,
        "favourable",
        SYSTEM,
        SILENCE,
    )
    assert isinstance(decided, Decided)
    assert (decided.basis, decided.document_event, task.tacit_at) == (words("the law"), "opinion_given", DUE)
    assert walk.case.step == "decision"
    assert silent(walk, DUE) == []


def test_silence_may_also_refuse() -> None:
    walk = a_walk(a_lenient_pack(decision={**GRANT, "outcome": "refuse", "four_eyes": True}))
    walk.decide("EXPERTS", "favourable")
    silent(walk, MONDAY + timedelta(days=30))
    assert (walk.case.state, walk.case.outcome) == (CaseState.CLOSED, "refuse")


def test_two_signatures_are_not_replaced_by_silence_unless_the_pack_says_so() -> None:
    for allowed in (False, True):
        walk = a_walk(a_lenient_pack(decision={**GRANT, "four_eyes": allowed}))
        walk.decide("EXPERTS", "favourable")
        walk.decide("MINISTRY", "refuse", "anna", reason_code="QUALITY")
        silent(walk, MONDAY + timedelta(days=30))
        ministry = walk.task("MINISTRY")
        assert (ministry.state is TaskState.DECIDED) is allowed
        assert ministry.live_signatures == () if allowed else len(ministry.live_signatures) == 1


def test_a_rule_that_asks_for_two_persons_takes_silence_away() -> None:
    pack = a_lenient_pack(control=FAVOURABLE)
    for amount, has_clock in ((5000, True), (5_000_000, False)):
        walk = a_walk(pack, type="permit.control", hs_codes=["110100"], amount_minor=amount)
        assert (walk.task("FOOD").tacit is not None) is has_clock


def test_on_the_red_channel_silence_says_nothing_unless_the_pack_says_so() -> None:
    red = {"hs_codes": ["401200", "930100"], "origin": "BB"}
    assert a_walk(a_lenient_pack(), **red).case.channel == "red"
    assert a_walk(a_lenient_pack(), **red).task("EXPERTS").tacit is None
    everywhere = {**FAVOURABLE, "channels": ["green", "orange", "red"]}
    assert a_walk(a_lenient_pack(opinion=everywhere), **red).task("EXPERTS").tacit is not None


def test_what_is_waited_for_is_not_silence() -> None:
    walk = a_walk(a_lenient_pack())
    walk.now = MONDAY + timedelta(hours=4)
    walk.ask("EXPERTS")
    assert walk.task("EXPERTS").tacit_at is None
    assert silent(walk, MONDAY + timedelta(days=300)) == []
    walk.now = MONDAY + timedelta(days=14)
    walk.answer("EXPERTS")
    assert walk.task("EXPERTS").tacit_at == MONDAY + timedelta(days=15, hours=4)
    assert silent(walk, MONDAY + timedelta(days=15, hours=4))


def test_who_speaks_in_time_ends_the_clock() -> None:
    walk = a_walk(a_lenient_pack())
    walk.decide("EXPERTS", "unfavourable")
    tacit = walk.task("EXPERTS").tacit
    assert tacit is not None
    assert tacit.state is TimerState.CANCELLED
    assert silent(walk, MONDAY + timedelta(days=30)) == []


def test_of_agencies_side_by_side_each_has_its_own_silence() -> None:
    walk = a_walk(a_lenient_pack(control=FAVOURABLE), type="permit.control", hs_codes=["100100"])
    walk.decide("FOOD", "favourable")
    facts = [fact for fact in silent(walk, DUE) if isinstance(fact, Decided)]
    assert [(fact.task.agency, fact.document_event) for fact in facts] == [("PLANT", "controlled")]
    assert walk.case.step == "bank"


def test_nobody_speaks_after_silence_has() -> None:
    walk = a_walk(a_lenient_pack())
    silent(walk, DUE)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        walk.decide("EXPERTS", "unfavourable")


# On the real database.

database = pytest.mark.service("routing")


@pytest.fixture
async def books(service_database: Database) -> Rulebooks:
    return await seeded(service_database, a_lenient_pack())


async def opened(database: Database, books: Rulebooks, *document_ids: str) -> None:
    with time_machine.travel(MONDAY, tick=False):
        await hear(database, books, *[submitted(document_id) for document_id in document_ids])


async def decided(database: Database) -> list[TaskDecided]:
    return [message for message in await told(database) if isinstance(message, TaskDecided)]


@database
async def test_it_is_said_with_the_law_and_the_moment(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    (opening,) = [message for message in await told(service_database) if isinstance(message, TaskOpened)]
    assert opening.tacit_outcome == "favourable"
    assert opening.tacit_at.ToDatetime(tzinfo=DUE.tzinfo) == DUE
    a_week_later = DUE + timedelta(days=7)
    await actions.fall_silent(service_database, books, a_week_later)
    (said,) = await decided(service_database)
    assert (said.decided_by, said.reason_code, said.outcome) == ("system", "silence", "favourable")
    assert said.tacit_at.ToDatetime(tzinfo=DUE.tzinfo) == DUE
    assert said.decided_at.ToDatetime(tzinfo=DUE.tzinfo) == a_week_later
    assert dict(said.basis) == words("the law")
    assert await rows(service_database, "select rung from escalations") == [("tacit",)]
    assert await rows(service_database, "select person from signatures") == []


@database
async def test_many_sweepers_decide_once(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SILENT_DOCUMENTS_MAX", 5)
    await opened(service_database, books, *[f"doc-{number}" for number in range(30)])
    looked_at = await rows(service_database, "select document_id from cases where channel <> 'red'")
    while any(await asyncio.gather(*(actions.fall_silent(service_database, books, DUE) for _ in range(6)))):
        pass
    assert sorted(message.document_id for message in await decided(service_database)) == sorted(
        document_id for (document_id,) in looked_at
    )
    assert await actions.fall_silent(service_database, books, DUE) == 0


class Killed(BaseException):
    """As a process ends: no code of ours gets to answer it."""


@database
async def test_one_document_that_fails_keeps_no_other_waiting(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to roll back the whole batch of a hundred, every second, for ever."""
    await opened(service_database, books, *(f"doc-{number}" for number in range(6)))

    async def fails_for_one(tx: Any, case: Any, facts: Any) -> None:
        if case.document.document_id == "doc-3":
            raise ValueError("unheard of")
        await say(tx, case, facts)

    with monkeypatch.context() as patched:
        patched.setattr(silence, "say", fails_for_one)
        assert await actions.fall_silent(service_database, books, DUE) == 6
        assert await actions.fall_silent(service_database, books, DUE) == 0
    assert "doc-3" not in [message.document_id for message in await decided(service_database)]
    assert len(await decided(service_database)) == 5
    later = DUE + timedelta(seconds=parking.PARKED_S)
    assert await actions.fall_silent(service_database, books, later) == 1
    assert "doc-3" in [message.document_id for message in await decided(service_database)]


@database
async def test_a_crash_leaves_no_trace_and_the_next_sweep_decides(
    service_database: Database, books: Rulebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(service_database, books, "doc-1")

    async def crash(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(silence, "say", crash)
        with pytest.raises(Killed):
            await actions.fall_silent(service_database, books, DUE)
    assert await rows(service_database, "select count(*) from escalations") == [(0,)]
    await actions.fall_silent(service_database, books, DUE)
    assert len(await decided(service_database)) == 1


@database
async def test_what_another_claimed_is_left_alone(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    async with service_database.connection() as connection:
        await connection.execute(
            "insert into escalations select id, 'tacit', now() from timers where timers.kind = 'tacit'"
        )
    assert await actions.fall_silent(service_database, books, DUE) == 0
    assert await decided(service_database) == []


@database
async def test_a_busy_case_is_left_to_the_next_sweep(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    async with service_database.transaction() as tx:
        await tx.execute("select 1 from cases for update")
        assert await actions.fall_silent(service_database, books, DUE) == 0
    assert await actions.fall_silent(service_database, books, DUE) == 1


@database
async def test_decided_or_withdrawn_in_time_nothing_is_left_to_silence(
    service_database: Database, books: Rulebooks
) -> None:
    await opened(service_database, books, "doc-1", "doc-2")
    await hear(service_database, books, withdrawn("doc-1"))
    ((task_id,),) = await rows(service_database, "select id from tasks where document_id = 'doc-2'")
    with time_machine.travel(DUE - timedelta(hours=1), tick=False):
        await actions.decide(service_database, books, EXPERT, task_id, Decision("anna", "unfavourable"))
    assert await actions.fall_silent(service_database, books, DUE) == 0
    assert [message.outcome for message in await decided(service_database)] == ["unfavourable"]


@database
async def test_late_is_said_before_silence_decides(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "doc-1")
    with time_machine.travel(DUE + timedelta(days=7), tick=False):
        stop = asyncio.Event()
        watching = asyncio.create_task(actions.watch(service_database, books, stop))
        for _ in range(100):
            if await decided(service_database):
                break
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(watching, 5)
    kinds = [type(message).__name__ for message in await told(service_database)]
    assert kinds.index("DeadlineMissed") < kinds.index("TaskDecided")
