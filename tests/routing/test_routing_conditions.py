"""Conditions on approvals in a case: who may set which, that two persons agree, that a later step meets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg
import pytest
from kit import clock, ids
from kit.database import Database
from kit.errors import Invalid, PortolanError
from packs.model import Pack
from portolan.routing.v1 import events_pb2
from portolan.routing.v1 import routing_pb2 as pb
from routing import actions, store
from routing.api import messages
from routing.domain import Case, Decision, Imposed, Officer, Rulebook, TaskDecided, TaskState

from tests.routing.builders import Walk, a_pack, a_submission, hear, seeded, submitted, words
from tests.routing.told import told

pytestmark = pytest.mark.service("routing")

NUMBERED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["lot"],
    "properties": {"lot": {"type": "string", "maxLength": 9, "x-labels": words("Lot")}},
}
CONDITIONS: list[dict[str, Any]] = [
    {
        **{"key": "seen", "labels": words("Seen"), "steps": ["opinion", "decision"]},
        **{"outcomes": ["favourable", "grant"], "parameters": NUMBERED, "satisfied_by": {"step": "bank"}},
    },
    {
        **{"key": "paper", "labels": words("Paper"), "steps": ["decision"], "outcomes": ["grant"]},
        **{"satisfied_by": {"attachment": True}, "blocks": "imputation"},
    },
]


def the_pack() -> Pack:
    pack = a_pack()
    plain: Mapping[str, Any] = msgspec.to_builtins(pack)
    types = {**plain["document_types"]}
    types["permit.licence"] = {**types["permit.licence"], "conditions": CONDITIONS}
    return msgspec.convert({**plain, "document_types": types}, Pack)


BOOK = Rulebook.of(the_pack())
SEEN, PAPER = Imposed("seen", {"lot": "12"}), Imposed("paper")
STEPS = [step.key for step in the_pack().document_types["permit.licence"].steps]


def a_walk() -> Walk:
    return Walk(a_submission(), BOOK)


def at_the_bank(*imposed: Imposed) -> Walk:
    walk = a_walk()
    walk.decide("EXPERTS", "favourable", imposes=imposed)
    walk.decide("MINISTRY", "grant", "anna")
    walk.decide("MINISTRY", "grant", "bilal")
    return walk


def faults(error: PortolanError) -> list[tuple[str, str]]:
    return [(one.pointer, one.code) for one in error.violations]


def test_a_later_step_names_the_condition_it_found_met() -> None:
    walk = at_the_bank(SEEN)
    condition = walk.case.conditions[0]
    assert (condition.code, condition.met_in, condition.gates) == ("seen", "bank", ("accept",))
    with pytest.raises(Invalid) as caught:
        walk.decide("BANK-1", "accept", "chadia")
    assert faults(caught.value) == [("/satisfies", "CONDITION_UNSATISFIED")]
    facts = walk.decide("BANK-1", "accept", "chadia", satisfies=(condition.id,))
    decided = next(fact for fact in facts if isinstance(fact, TaskDecided))
    assert [one.id for one in decided.met] == [condition.id]
    assert walk.case.conditions[0].met_at is not None


def test_who_refuses_needs_meet_nothing() -> None:
    walk = at_the_bank(SEEN)
    walk.decide("BANK-1", "reject", "chadia", reason_code="PAYMENT")
    assert walk.case.conditions[0].met_at is None


@pytest.mark.parametrize(
    ("imposes", "fault"),
    [
        ((Imposed("unheard_of"),), ("/imposes/0/code", "UNKNOWN_CONDITION")),
        ((PAPER,), ("/imposes/0/code", "UNKNOWN_CONDITION")),
        ((SEEN, SEEN), ("/imposes/1", "REPEATED")),
        ((Imposed("seen", {"lot": 12}),), ("/imposes/0/parameters/lot", "INVALID_PARAMETER")),
        ((Imposed("seen"),), ("/imposes/0/parameters", "INVALID_PARAMETER")),
    ],
)
def test_a_step_sets_only_what_the_pack_lets_it(imposes: tuple[Imposed, ...], fault: tuple[str, str]) -> None:
    walk = a_walk()
    with pytest.raises(Invalid) as caught:
        walk.decide("EXPERTS", "favourable", imposes=imposes)
    assert faults(caught.value) == [fault]
    with pytest.raises(Invalid):
        walk.decide("EXPERTS", "unfavourable", imposes=(SEEN,))


def test_the_second_who_leaves_conditions_out_agrees_and_who_says_others_does_not() -> None:
    walk = a_walk()
    walk.decide("EXPERTS", "favourable")
    walk.decide("MINISTRY", "grant", "anna", imposes=(PAPER,))
    walk.decide("MINISTRY", "grant", "bilal", imposes=(PAPER, SEEN))
    ministry = walk.case.task(walk.task_id("MINISTRY"))
    assert [one.person for one in ministry.live_signatures] == ["bilal"]
    walk.decide("MINISTRY", "grant", "anna")
    assert [one.code for one in walk.case.conditions] == ["paper", "seen"]
    assert {one.imposed_by for one in walk.case.conditions} == {"bilal"}


def test_a_condition_is_met_once_and_by_its_own_step() -> None:
    walk = at_the_bank(SEEN)
    condition = walk.case.conditions[0]
    for satisfies in (("somebody-elses",), (condition.id, "somebody-elses")):
        with pytest.raises(Invalid) as caught:
            walk.decide("BANK-1", "accept", "chadia", satisfies=satisfies)
        assert faults(caught.value)[0][1] == "UNKNOWN_CONDITION"


async def decided(database: Database, book: store.Rulebooks, person: str, agency: str, said: Decision) -> Case:
    async with database.connection() as connection:
        page = await store.page(connection, store.Wanted(frozenset(TaskState), agency), None, 10)
    roles = frozenset({page[0][1].role})
    officer = Officer(person, agency, f"org-{agency}", roles)
    return await actions.decide(database, book, officer, page[0][1].id, said)


async def test_conditions_are_kept_said_shown_and_held_by_the_database(service_database: Database) -> None:
    books = await seeded(service_database, the_pack())
    await hear(service_database, books, submitted())
    await decided(service_database, books, "emma", "EXPERTS", Decision("emma", "favourable", imposes=(SEEN,)))
    for person in ("anna", "bilal"):
        case = await decided(service_database, books, person, "MINISTRY", Decision(person, "grant"))
    said = [one for one in await told(service_database) if isinstance(one, events_pb2.TaskDecided)]
    assert [one.code for one in said[0].imposes] == ["seen"]
    assert msgspec.json.decode(said[0].imposes[0].parameters_json) == {"lot": "12"}
    bank = next(task for task in case.tasks if task.agency == "BANK-1")
    officer = Officer("chadia", "BANK-1", "org-BANK-1", frozenset({"bank_officer"}))
    async with service_database.connection() as connection:
        case, task = await store.item(connection, bank.id)
    screen = messages.task(case, task, case.procedure(BOOK), officer)
    assert [(one.code, one.met_in, one.HasField("met_at")) for one in screen.conditions] == [("seen", "bank", False)]
    await refused_by_the_database(service_database, bank.id)
    met = Decision("chadia", "accept", satisfies=(case.conditions[0].id,))
    case = await actions.decide(service_database, books, officer, bank.id, met)
    again = await actions.decide(service_database, books, officer, bank.id, met)
    assert case.task(bank.id).state is TaskState.DECIDED
    assert again.conditions == case.conditions
    last = [one for one in await told(service_database) if isinstance(one, events_pb2.TaskDecided)][-1]
    assert list(last.satisfies) == [case.conditions[0].id]


async def refused_by_the_database(database: Database, task_id: str) -> None:
    decide = "update tasks set state = 'DECIDED', outcome = 'accept', decided_by = 'x', decided_at = %s where id = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="not met"):
        async with database.transaction() as tx:
            await tx.execute(decide.encode(), [clock.now(), task_id])
    with pytest.raises(psycopg.errors.IntegrityError, match="set once"):
        async with database.transaction() as tx:
            await tx.execute("update conditions set code = 'other'")


def test_what_an_officer_sends_is_bounded() -> None:
    officer = Officer("anna", "MINISTRY", "org", frozenset({"agency_officer"}))
    request = pb.DecideTaskRequest(id=ids.new_id(), outcome="grant", satisfies=["a,b"])
    with pytest.raises(Invalid):
        messages.decision(request, officer)
    request = pb.DecideTaskRequest(outcome="grant", imposes=[pb.Imposed(code="seen")] * 11)
    with pytest.raises(Invalid):
        messages.decision(request, officer)
    request = pb.DecideTaskRequest(outcome="grant", imposes=[pb.Imposed(code="seen", parameters_json=b"[1]")])
    with pytest.raises(PortolanError, match="MALFORMED"):
        messages.decision(request, officer)
