"""The country's control of goods, by its own pack: who is asked, who visits, and a laboratory that takes too long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import packs
import pytest
import time_machine
from kit.database import Database
from packs import expressions
from packs.model import DocumentType, Pack
from portolan.routing.v1 import events_pb2
from routing import actions, store
from routing.domain import (
    CaseState,
    Decision,
    Fact,
    ResultFound,
    Rulebook,
    Submission,
    TaskDecided,
    decide,
    fall_silent,
    open_case,
)
from routing.domain import appointments as rules
from routing.domain.visits import OPERATOR, Attendant, Slot
from routing.store import Rulebooks, load_pack

from tests.routing.builders import MONDAY, Walk, hear, submitted
from tests.routing.told import told

PACK: Pack = packs.read(packs.default_pack_path())
BOOK = Rulebook.of(PACK)
TYPE: DocumentType = PACK.document_types["control_request"]
SHOES, FISH, ORANGES = range(3)
LABORATORY_DAYS = 10
# Documents that no lot of this pack sends to the red channel.
SPARED = "doc-1"


def facts_of(example: int, **changes: Any) -> dict[str, Any]:
    seen = {"body": TYPE.schema["examples"][example], "rates": {}, "lists": {}}
    derived = {name: expressions.evaluate(expression, seen) for name, expression in TYPE.facts.items()}
    own = {"type": TYPE.key, "direction": "import", "owner_attributes": [], "national_value_minor": 50_000_000}
    return {**derived, **own, "document_id": SPARED, **changes}


def submission(example: int, **changes: Any) -> Submission:
    facts = facts_of(example, **changes)
    return Submission(facts["document_id"], "CTL-1", TYPE.key, PACK.version, "owner", "submitter", facts)


class Control(Walk):
    def __init__(self, example: int, **changes: Any) -> None:
        super().__init__(submission(example, **changes), BOOK, MONDAY)

    def say(self, step: str, agency: str, outcome: str, **other: Any) -> list[Fact]:
        self.now += timedelta(minutes=5)
        task = [task for task in self.case.tasks if (task.step, task.agency) == (step, agency)][-1]
        said = Decision("anna", outcome, **other)
        self.case, facts = decide(self.case, task.id, said, self.procedure, self.now, self.new_id)
        self.said += facts
        return facts

    def visit(self, *agencies: str) -> list[Fact]:
        """Proposed, confirmed and recorded by everybody."""
        agenda, working = rules.Agenda(self.case), BOOK.calendars["working"]
        starts_at = working.add(self.now + timedelta(days=1), 1800)
        proposal = rules.VisitProposal(who(OPERATOR), Slot(starts_at, starts_at + timedelta(hours=1), "Quai 3"), "k")
        agenda, visit, _ = rules.propose(agenda, proposal, self.procedure, self.now, self.new_id)
        for agency in agencies:
            agenda, visit, _ = rules.confirm(agenda, visit.id, who(agency), self.procedure, self.now)
        facts: list[Fact] = []
        for agency in agencies:
            agenda, visit, facts = rules.record(
                agenda, visit.id, who(agency), "seen", agenda.case.procedure(BOOK), self.now, self.new_id
            )
        self.case = agenda.case
        return facts

    def to_the_laboratory(self) -> None:
        self.say("document_review", "ONSSA", "visit")
        self.visit("ONSSA")
        self.say("visit_result", "ONSSA", "sample")
        self.say("sampling", "ONSSA", "sent")

    def silence(self, **later: Any) -> list[Fact]:
        self.now += timedelta(**later)
        self.case, facts = fall_silent(self.case, self.procedure, self.now, self.new_id)
        return facts


def who(party: str) -> Attendant:
    return Attendant(f"person-of-{party}", party)


def asked(control: Control) -> list[str]:
    return [task.agency for task in control.case.tasks if task.is_undecided]


def moves(facts: list[Fact]) -> list[str]:
    return [fact.document_event for fact in facts if isinstance(fact, TaskDecided) and fact.document_event]


def results(facts: list[Fact]) -> list[str]:
    return [fact.result for fact in facts if isinstance(fact, ResultFound)]


def test_each_body_the_goods_meet_reviews_them() -> None:
    assert asked(Control(SHOES)) == ["MIC"]
    assert asked(Control(FISH)) == ["ONSSA", "DPM"]
    assert asked(Control(ORANGES)) == ["ONSSA"]


def test_live_animals_are_always_visited_and_a_trusted_operator_less() -> None:
    (animals,) = Control(ORANGES, hs_codes=["010290"], characteristics=[]).case.explanation["visits"]
    assert (animals["due"], animals["ground"]) == (True, "condition")
    (plain,) = Control(ORANGES, certificate_kinds=[]).case.explanation["visits"]
    (electronic,) = Control(ORANGES).case.explanation["visits"]
    (trusted,) = Control(ORANGES, owner_attributes=["AEO"]).case.explanation["visits"]
    shares = [float(visit["draw"]["share"]) for visit in (plain, electronic, trusted)]
    assert shares == pytest.approx([0.30, 0.10, 0.10 / 3])


def test_a_laboratory_that_takes_ten_days_lets_the_goods_go_conditionally() -> None:
    control = Control(ORANGES)
    control.to_the_laboratory()
    assert asked(control) == ["LAB-ONSSA"]
    assert control.silence(days=LABORATORY_DAYS, seconds=-1) == []
    facts = control.silence(seconds=1)
    assert (moves(facts), results(facts)) == (["release_conditionally"], ["conditional"])
    assert control.silence(days=30) == []
    assert (control.case.state, control.case.step, asked(control)) == (CaseState.OPEN, "late_result", ["LAB-ONSSA"])


@pytest.mark.parametrize(
    ("outcome", "event", "result"),
    [
        ("conform", "found_conform", "conform"),
        ("conform_with_conditions", "found_conform_with_conditions", "conform_with_conditions"),
    ],
)
def test_the_late_result_still_counts(outcome: str, event: str, result: str) -> None:
    control = Control(ORANGES)
    control.to_the_laboratory()
    control.silence(days=LABORATORY_DAYS)
    facts = control.say("late_result", "LAB-ONSSA", outcome)
    assert (moves(facts), results(facts), control.case.outcome) == ([event], [result], outcome)


@pytest.mark.parametrize(("fate", "event"), [("retreat", "retreat"), ("reexport", "reexport"), ("destroy", "destroy")])
def test_goods_that_prove_bad_after_all_go_back_to_who_took_the_samples(fate: str, event: str) -> None:
    control = Control(ORANGES)
    control.to_the_laboratory()
    control.silence(days=LABORATORY_DAYS)
    facts = control.say("late_result", "LAB-ONSSA", "non_conform", reason_code="PUBLIC_HEALTH")
    assert (moves(facts), results(facts), asked(control)) == (["found_non_conform"], ["non_conform"], ["ONSSA"])
    assert moves(control.say("disposal", "ONSSA", fate)) == [event]
    assert control.case.outcome == fate


def test_every_move_is_one_the_document_can_make() -> None:
    """Down the longest way there is: both bodies, a visit, another, samples, a laboratory that is late, destruction."""
    control = Control(FISH)
    said = [*control.say("document_review", "DPM", "visit"), *control.say("document_review", "ONSSA", "visit")]
    said += control.visit("ONSSA", "DPM")
    said += [*control.say("visit_result", "ONSSA", "revisit"), *control.say("visit_result", "DPM", "conform")]
    said += control.visit("ONSSA", "DPM")
    said += [*control.say("visit_result", "ONSSA", "sample"), *control.say("visit_result", "DPM", "sample")]
    said += [*control.say("sampling", "ONSSA", "sent"), *control.say("sampling", "DPM", "sent")]
    assert sorted(asked(control)) == ["DPM", "LAB-ONSSA"]
    said += control.say("laboratory", "DPM", "conform")
    said += control.silence(days=LABORATORY_DAYS)
    said += control.say("late_result", "LAB-ONSSA", "non_conform", reason_code="QUALITY")
    for agency in ("ONSSA", "DPM"):
        said += control.say("disposal", agency, "destroy")
    state, appointment = "DOC_REVIEW", ("visit_propose", "visit_confirm")
    for event in moves(said):
        for before in appointment if event == "visit_done" else ():
            state = _next(state, before)
        state = _next(state, event)
    assert state == "DESTROYED"


def _next(state: str, event: str) -> str:
    move = TYPE.transition(state, event)
    assert move is not None, f"{state} has no {event}"
    return move.to


def test_the_same_request_is_asked_about_in_the_same_way_every_time() -> None:
    known = submission(FISH)
    first, _ = open_case(known, BOOK, MONDAY, lambda: "id")
    again, _ = open_case(known, BOOK, MONDAY, lambda: "id")
    assert first == again


@pytest.mark.service("routing")
async def test_the_sweeper_releases_conditionally_once(service_database: Database) -> None:
    """On the database, by the sweep that runs every second, however many sweep at once."""
    async with service_database.transaction() as tx:
        await load_pack(tx, PACK)
    books = Rulebooks(service_database)
    known = {name: value for name, value in facts_of(ORANGES).items() if name not in {"type", "document_id"}}
    message = submitted(SPARED, "control_request", **known)
    message.pack_version = PACK.version
    with time_machine.travel(MONDAY, tick=False):
        await hear(service_database, books, message)
        await _walk_to_the_laboratory(service_database, books)
    for now in (LABORATORY_DAYS, LABORATORY_DAYS + 1):
        await actions.fall_silent(service_database, books, MONDAY + timedelta(days=now, hours=1))
    released = [
        one
        for one in await told(service_database, SPARED)
        if isinstance(one, events_pb2.TaskDecided) and one.document_event == "release_conditionally"
    ]
    assert [(one.decided_by, one.outcome) for one in released] == [("system", "late")]


async def _walk_to_the_laboratory(database: Database, books: Rulebooks) -> None:
    """Puts the case where its samples are at the laboratory, by the engine's own steps."""
    control = Control(ORANGES)
    async with database.transaction() as tx:
        before = await store.case_of_document(tx, SPARED)
        assert before is not None
        control.case, control.now = before, MONDAY
        control.to_the_laboratory()
        await store.save_case(tx, before, control.case)
