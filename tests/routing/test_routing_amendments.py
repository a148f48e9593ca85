"""A closed case is opened again for an amendment: whom its changes concern, once for each version."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kit.database import Database
from kit.errors import Refused, Unavailable
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import events_pb2 as said
from routing import actions, store
from routing.api import messages
from routing.domain import CaseClosed, CaseState, Decision, Officer, Proposal, TaskDecided, TaskOpened, amend, end
from routing.domain import decide as decide_case
from routing.domain.cases import CANCELLED
from routing.store import case_of_document, load_pack

from tests.routing.builders import MONDAY, Walk, hear, submitted
from tests.routing.test_routing_default_pack import BOOK, PACK, PERSONS, complete, facts_of, opened
from tests.routing.told import told

LICENCE = PACK.document_types["import_title.li"]
BOTH = ("amendment_ministry", "amendment_bank")
CHANGE = {"pointer": "/lines/0/quantity/value", "before": "40000", "after": "50000"}


def a_proposal(*steps: str, version: int = 2, document_id: str = "doc-1") -> Proposal:
    return Proposal(document_id, version, facts_of(LICENCE), (CHANGE,), "more of it", steps or BOTH)


def a_closed_case() -> Walk:
    walk = opened(LICENCE)
    complete(walk)
    return walk


def amended(walk: Walk, proposal: Proposal) -> list[Any]:
    walk.case, facts = amend(walk.case, proposal, walk.book, walk.now, walk.new_id)
    return facts


def decide(walk: Walk, step: str, outcome: str, **other: Any) -> list[Any]:
    """By as many as must sign; what the last of them brings about."""
    task = next(task for task in walk.case.tasks if task.step == step and task.is_live)
    facts: list[Any] = []
    for person in PERSONS[: task.signatures_required]:
        decision = Decision(person, outcome, **other)
        walk.case, facts = decide_case(walk.case, task.id, decision, walk.procedure, walk.now, walk.new_id)
    return facts


def test_whom_the_changes_concern_is_asked_in_the_packs_order() -> None:
    walk = a_closed_case()
    (first,) = amended(walk, a_proposal())
    assert (first.task.step, first.task.agency, first.document_event) == ("amendment_ministry", "MIC", "")
    decided, second = decide(walk, "amendment_ministry", "accept")
    assert (decided.document_event, second.task.step) == ("", "amendment_bank")
    decided, closed = decide(walk, "amendment_bank", "accept")
    assert (decided.document_event, type(closed)) == ("amend_accept", CaseClosed)
    assert (walk.case.state, walk.case.outcome) == (CaseState.CLOSED, "completed")


def test_who_approved_what_does_not_change_is_not_asked_again() -> None:
    walk = a_closed_case()
    (only,) = amended(walk, a_proposal("amendment_bank"))
    assert (only.task.agency, only.task.timer.budget_seconds) == ("BANK-007", 14400)
    decided, _ = decide(walk, "amendment_bank", "accept")
    assert decided.document_event == "amend_accept"


def test_the_first_who_rejects_ends_it() -> None:
    walk = a_closed_case()
    amended(walk, a_proposal())
    decided, closed = decide(walk, "amendment_ministry", "reject", reason_code="DATA_MISSING")
    assert isinstance(decided, TaskDecided)
    assert (decided.document_event, closed.outcome) == ("amend_reject", "reject")


def test_a_version_is_asked_about_once_and_never_after_a_later_one() -> None:
    walk = a_closed_case()
    assert [type(fact) for fact in amended(walk, a_proposal(version=3))] == [TaskOpened]
    assert amended(walk, a_proposal(version=3)) == []
    assert amended(walk, a_proposal(version=2)) == []
    with pytest.raises(Refused):
        amended(walk, a_proposal(version=4))


def test_a_cancelled_document_ends_its_amendment() -> None:
    walk = a_closed_case()
    amended(walk, a_proposal())
    walk.case, facts = end(walk.case, CANCELLED, MONDAY)
    assert [fact.outcome for fact in facts if isinstance(fact, CaseClosed)] == ["cancelled"]
    assert not any(task.is_live for task in walk.case.tasks)


def test_an_officer_sees_what_changed_and_on_older_tasks_what_they_were_about() -> None:
    walk = a_closed_case()
    old = walk.case.tasks[0]
    walk.now = walk.now.replace(hour=15)
    amended(walk, a_proposal())
    task = walk.case.tasks[-1]
    officer = Officer("anna", "MIC", "org-mic", frozenset({"agency_officer"}))
    shown = messages.task(walk.case, task, walk.procedure, officer)
    assert msgspec.json.decode(shown.facts_json)["amendment"] == {
        "version": 2,
        "changes": [CHANGE],
        "remarks": "more of it",
    }
    assert list(shown.outcomes) == ["accept", "reject"]
    assert "amendment" not in walk.case.facts_of(old)


def proposed(version: int = 2, document_id: str = "doc-1") -> intake.AmendmentProposed:
    change = intake.Change(pointer="/remarks", before_json="null", after_json='"new"')
    return intake.AmendmentProposed(
        document_id=document_id,
        version=version,
        facts_json=msgspec.json.encode(facts_of(LICENCE)),
        changes=[change],
        steps=["amendment_bank"],
    )


@pytest.mark.service("routing")
async def test_heard_twice_an_amendment_asks_once_and_is_remembered(service_database: Database) -> None:
    async with service_database.transaction() as tx:
        await load_pack(tx, PACK)
    books = store.Rulebooks(service_database)
    submission = submitted(type="import_title.li")
    submission.pack_version = PACK.version
    submission.facts_json = msgspec.json.encode(facts_of(LICENCE))
    await hear(service_database, books, submission)
    with pytest.raises(Unavailable):
        await hear(service_database, books, proposed(document_id="doc-unheard"))
    await close(service_database, books)
    await hear(service_database, books, proposed(), proposed())
    async with service_database.transaction() as tx:
        case = await case_of_document(tx, "doc-1")
    assert case is not None
    assert case.amendment is not None
    assert case.amendment.changes == ({"pointer": "/remarks", "before": None, "after": "new"},)
    opened_tasks = [one for one in await told(service_database) if isinstance(one, said.TaskOpened)]
    assert [one.step for one in opened_tasks].count("amendment_bank") == 1


async def close(database: Database, books: store.Rulebooks) -> None:
    """Everybody says yes, two persons where two must."""
    for _ in range(10):
        async with database.transaction() as tx:
            case = await case_of_document(tx, "doc-1")
        assert case is not None
        task = next((task for task in case.tasks if task.is_live), None)
        if task is None:
            return
        step = BOOK.type("import_title.li").step(task.step)
        assert step is not None
        outcome = next(key for key, one in step.outcomes.items() if one.then == "next")
        for person in PERSONS[: task.signatures_required]:
            officer = Officer(f"{person} of {task.agency}", task.agency, "org", frozenset({task.role}))
            await actions.decide(database, books, officer, task.id, Decision(officer.person, outcome))
