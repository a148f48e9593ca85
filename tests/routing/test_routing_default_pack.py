"""The pack that ships, walked through the engine: every procedure ends, by moves its type allows."""

from datetime import timedelta
from typing import Any

import msgspec
import packs
import pytest
from kit.database import Database
from packs import expressions
from packs.model import DocumentType, Pack
from routing.domain import CaseState, Proposal, Rulebook, Submission, TaskDecided, TaskOpened, amend, fall_silent
from routing.store import Rulebooks, load_pack

from tests.routing.builders import MONDAY, Walk

PACK = packs.read(packs.default_pack_path())
BOOK = Rulebook.of(PACK)
PERSONS = ("anna", "bilal")
# Those somebody here decides about; what another system decides is only mirrored.
PROCEDURES = [type for type in PACK.document_types.values() if type.steps]


def facts_of(type: DocumentType) -> dict[str, Any]:
    """As intake derives them at submission."""
    body = type.schema["examples"][0]
    seen = {"body": body, "rates": {}, "lists": {}}
    derived = {name: expressions.evaluate(expression, seen) for name, expression in type.facts.items()}
    return {
        **derived,
        "type": type.key,
        "direction": type.direction,
        "owner_attributes": [],
        "national_value_minor": 1_000_000,
        "document_id": "doc-1",
    }


def opened(type: DocumentType, book: Rulebook = BOOK) -> Walk:
    return Walk(Submission("doc-1", "R", type.key, PACK.version, "owner", "submitter", facts_of(type)), book, MONDAY)


def where_the_case_begins(type: DocumentType) -> str:
    """Where a document is submitted, or where the stage that opens its case leads."""
    opening = next((stage for stage in type.stages if stage.opens_case), None)
    if opening is None:
        return type.initial_state
    move = type.transition(opening.in_, opening.events[0].event)
    assert move is not None
    return move.to


def complete(walk: Walk) -> None:
    for _ in range(20):
        task = next((task for task in walk.case.tasks if task.is_live), None)
        if task is None:
            return
        step = walk.procedure.step(task.step)
        outcome = next(key for key, outcome in step.outcomes.items() if outcome.then in {"next", "finish"})
        for person in PERSONS[: task.signatures_required]:
            walk.decide(task.agency, outcome, f"{person} of {task.agency}")


@pytest.mark.parametrize("type", PROCEDURES, ids=lambda type: type.key)
def test_every_procedure_completes_along_its_own_transitions(type: DocumentType) -> None:
    walk = opened(type)
    complete(walk)
    finished = {key for step in type.steps for key, outcome in step.outcomes.items() if outcome.then == "finish"}
    assert walk.case.state is CaseState.CLOSED
    assert walk.case.outcome in (finished or {"completed"})
    begun = state = where_the_case_begins(type)
    for fact in walk.said:
        if isinstance(fact, TaskOpened | TaskDecided) and fact.document_event:
            move = type.transition(state, fact.document_event)
            assert move is not None, f"{state} has no {fact.document_event}"
            state = move.to
    assert state != begun


def silent_steps() -> list[tuple[DocumentType, str]]:
    amended = [type for type in PACK.document_types.values() if type.amendment]
    steps = [(type, step) for type in amended for step in (type.amendment.steps if type.amendment else ())]
    return [(type, step.key) for type, step in steps if step.tacit is not None]


@pytest.mark.parametrize(("type", "key"), silent_steps(), ids=str)
def test_an_amendment_nobody_answers_is_decided_by_silence(type: DocumentType, key: str) -> None:
    walk = opened(type)
    complete(walk)
    facts = {**facts_of(type), "type": type.key}
    proposal = Proposal("doc-1", 2, facts, (), "", (key,))
    walk.case, _ = amend(walk.case, proposal, BOOK, MONDAY, walk.new_id)
    walk.case, said = fall_silent(walk.case, walk.procedure, MONDAY + timedelta(days=30), walk.new_id)
    (decided, _) = said
    assert isinstance(decided, TaskDecided)
    assert (decided.document_event, decided.task.decided_by) == ("amend_accept", "system")
    assert set(decided.basis) == set(PACK.languages)
    assert walk.case.state is CaseState.CLOSED


@pytest.mark.parametrize("type", PROCEDURES, ids=lambda type: type.key)
def test_every_step_can_be_planned(type: DocumentType) -> None:
    procedure = opened(type).procedure
    assert procedure.routes()
    assert procedure.due_at(MONDAY) > MONDAY
    assert {route.agency for route in procedure.routes()} <= set(PACK.agencies)


@pytest.mark.service("routing")
async def test_what_is_stored_of_a_pack_judges_as_the_pack_does(service_database: Database) -> None:
    async with service_database.transaction() as tx:
        await load_pack(tx, PACK)
    stored = await Rulebooks(service_database).of(PACK.version)
    for type in PACK.document_types.values():
        assert opened(type, stored).case == opened(type).case
    assert len(msgspec.json.encode(_whole(stored.pack))) < len(msgspec.json.encode(_whole(PACK)))


def _whole(pack: Pack) -> Any:
    return msgspec.to_builtins(pack)
