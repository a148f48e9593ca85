"""Joint visits: proposed, confirmed by all, declined, missed, recorded by each; and what no order of words breaks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.errors import Conflict, Invalid, NotFound, PortolanError, Refused
from routing.domain import (
    OPERATOR,
    Agenda,
    Attendant,
    CaseClosed,
    CaseState,
    Fact,
    Rulebook,
    Slot,
    Task,
    TaskDecided,
    Visit,
    VisitConfirmed,
    VisitDeclined,
    VisitMissed,
    VisitProposal,
    VisitProposed,
    VisitState,
)
from routing.domain import appointments as rules

from tests.routing.builders import MONDAY
from tests.routing.controls import CHECK, CHECKS, TERMS, VISIT, Control, a_control_pack

PARTIES = (OPERATOR, "PLANT", "FOOD")
TUESDAY = MONDAY + timedelta(days=1)
SLOT = Slot(TUESDAY, TUESDAY + timedelta(hours=1), "Quay 3")


class Appointments:
    """A control whose visit is being arranged; every party has one person."""

    def __init__(self, *agencies: str, book: Rulebook = CHECKS) -> None:
        self.control = Control(book=book)
        for agency in ("PLANT", "FOOD"):
            self.control.say("review", agency, "visit" if agency in agencies else "clear")
        self.agenda = Agenda(self.control.case)
        self.now = self.control.now
        self.keys = 0

    def _said(self, agenda: Agenda, visit: Visit, facts: list[Fact]) -> list[Fact]:
        cancelled = agenda.case.state is CaseState.CLOSED
        visits = tuple(one.cancelled(self.now) if cancelled else one for one in agenda.visits)
        self.agenda = Agenda(agenda.case, visits)
        return facts

    @property
    def procedure(self) -> Any:
        return self.agenda.case.procedure(self.control.book)

    @property
    def last(self) -> Visit:
        return self.agenda.visits[-1]

    def propose(self, party: str = OPERATOR, slot: Slot = SLOT, key: str = "") -> list[Fact]:
        self.keys += 1
        proposal = VisitProposal(who(party), slot, key or f"key-{self.keys}")
        return self._said(*rules.propose(self.agenda, proposal, self.procedure, self.now, self.control.new_id))

    def confirm(self, party: str) -> list[Fact]:
        return self._said(*rules.confirm(self.agenda, self.last.id, who(party), self.procedure, self.now))

    def decline(self, party: str, reason: str = "the crane is down") -> list[Fact]:
        return self._said(*rules.decline(self.agenda, self.last.id, who(party), reason, self.procedure, self.now))

    def miss(self, party: str, absent: str) -> list[Fact]:
        said = rules.miss(self.agenda, self.last.id, who(party), absent, self.procedure, self.now, self.control.new_id)
        return self._said(*said)

    def record(
        self, party: str, findings: str = "as declared", person: str = "", stands_for: frozenset[str] = frozenset()
    ) -> list[Fact]:
        by = Attendant(person or who(party).person, party, stands_for)
        said = rules.record(self.agenda, self.last.id, by, findings, self.procedure, self.now, self.control.new_id)
        return self._said(*said)

    def agree(self) -> None:
        self.propose()
        for party in PARTIES[1:]:
            self.confirm(party)


def who(party: str) -> Attendant:
    return Attendant(f"person-of-{party}", party)


def both() -> Appointments:
    return Appointments("PLANT", "FOOD")


def moves(facts: list[Fact]) -> list[str]:
    spoken = (VisitProposed, VisitConfirmed, VisitDeclined, VisitMissed, TaskDecided, CaseClosed)
    return [fact.document_event for fact in facts if isinstance(fact, spoken) and fact.document_event]


def refused(call: Any) -> str:
    with pytest.raises(Refused) as error:
        call()
    return error.value.code


def test_the_appointment_stands_when_the_last_party_has_confirmed() -> None:
    visits = both()
    assert moves(visits.propose("FOOD")) == ["propose"]
    assert [party.name for party in visits.last.parties] == list(PARTIES)
    assert moves(visits.confirm(OPERATOR)) == []
    assert moves(visits.confirm("PLANT")) == ["confirm"]
    assert visits.last.state is VisitState.CONFIRMED


def test_whom_no_visit_was_asked_of_has_no_part_in_it() -> None:
    visits = Appointments("PLANT")
    with pytest.raises(NotFound):
        visits.propose("FOOD")
    visits.propose()
    assert [party.name for party in visits.last.parties] == [OPERATOR, "PLANT"]
    with pytest.raises(NotFound):
        visits.confirm("FOOD")


def test_one_appointment_at_a_time_and_the_same_key_is_the_same_one() -> None:
    visits = both()
    visits.propose(key="a")
    assert visits.propose(key="a") == []
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        visits.propose("FOOD", key="a")
    assert refused(lambda: visits.propose("FOOD")) == "INVALID_TRANSITION"
    visits.decline("FOOD")
    visits.propose("FOOD", key="b")
    assert [visit.state for visit in visits.agenda.visits] == [VisitState.DECLINED, VisitState.PROPOSED]


def test_saying_the_same_again_says_nothing_new() -> None:
    visits = both()
    visits.propose()
    assert (visits.confirm(OPERATOR), visits.confirm("FOOD") != []) == ([], True)
    assert visits.confirm("FOOD") == []
    visits.decline("PLANT")
    assert visits.decline("PLANT") == []
    assert refused(lambda: visits.decline("PLANT", "another reason")) == "INVALID_TRANSITION"


@pytest.mark.parametrize(
    ("starts_at", "minutes", "code"),
    [
        (MONDAY, 60, "PAST"),
        (MONDAY + timedelta(days=40), 60, "TOO_FAR"),
        (TUESDAY, 0, "OUT_OF_RANGE"),
        (TUESDAY, -30, "OUT_OF_RANGE"),
        (TUESDAY, 121, "OUT_OF_RANGE"),
        (TUESDAY.replace(hour=15, minute=30), 60, "NOT_WORKING_TIME"),
        (MONDAY + timedelta(days=5), 60, "NOT_WORKING_TIME"),
        (MONDAY + timedelta(days=7), 60, "NOT_WORKING_TIME"),
    ],
)
def test_a_slot_is_to_come_soon_short_and_in_working_hours(starts_at: datetime, minutes: int, code: str) -> None:
    """The last is the country's day of rest."""
    with pytest.raises(Invalid) as error:
        both().propose(slot=Slot(starts_at, starts_at + timedelta(minutes=minutes), "Quay 3"))
    assert [violation.code for violation in error.value.violations] == [code]


def test_proposals_come_to_an_end() -> None:
    visits = both()
    for _ in range(6):
        visits.propose()
        visits.decline("FOOD")
    assert refused(visits.propose) == "TOO_MANY_VISITS"


def test_nobody_uses_up_the_proposals_of_another() -> None:
    visits = both()
    for _ in range(6):
        visits.propose()
        visits.decline("FOOD")
    visits.propose("FOOD")
    assert visits.agenda.live is not None


def test_a_slot_that_has_passed_is_confirmed_by_nobody_but_may_be_declined() -> None:
    visits = both()
    visits.propose()
    visits.now = TUESDAY
    assert refused(lambda: visits.confirm("FOOD")) == "INVALID_TRANSITION"
    assert moves(visits.decline("FOOD")) == ["decline"]


def test_what_was_confirmed_is_declined_only_before_it_begins() -> None:
    visits = both()
    visits.agree()
    visits.now = TUESDAY
    assert refused(lambda: visits.decline("FOOD")) == "INVALID_TRANSITION"


def test_nobody_is_absent_before_the_visit_begins_nor_tells_of_himself() -> None:
    visits = both()
    visits.agree()
    assert refused(lambda: visits.miss("FOOD", OPERATOR)) == "INVALID_TRANSITION"
    visits.now = TUESDAY
    for absent in ("FOOD", "CUSTOMS"):
        with pytest.raises(Invalid):
            visits.miss("FOOD", absent)


def test_an_absence_is_kept_and_another_visit_may_be_proposed() -> None:
    visits = both()
    visits.agree()
    visits.now = TUESDAY
    assert moves(visits.miss("FOOD", OPERATOR)) == ["no_show"]
    assert visits.miss("PLANT", OPERATOR) == []
    assert moves(visits.miss(OPERATOR, "PLANT")) == []
    assert (visits.agenda.no_shows_of(OPERATOR), visits.agenda.no_shows_of("PLANT")) == (1, 1)
    wednesday = SLOT.starts_at + timedelta(days=1)
    visits.propose(slot=Slot(wednesday, wednesday + timedelta(hours=1), "Quay 3"))
    assert visits.last.number == 2


def test_an_agency_that_does_not_come_is_told_of_otherwise() -> None:
    visits = both()
    visits.agree()
    visits.now = TUESDAY
    assert moves(visits.miss(OPERATOR, "FOOD")) == ["absent"]


def test_an_operator_who_never_comes_ends_the_case() -> None:
    visits = both()
    for day in (1, 2):
        starts_at = MONDAY + timedelta(days=day)
        visits.propose(slot=Slot(starts_at, starts_at + timedelta(hours=1), "Quay 3"))
        visits.confirm("FOOD")
        visits.confirm("PLANT")
        visits.now = starts_at
        facts = visits.miss("FOOD", OPERATOR)
    assert moves(facts) == ["abandon"]
    assert (visits.agenda.case.state, visits.agenda.case.outcome) == (CaseState.CLOSED, "no_show")


def test_each_agency_records_and_the_last_one_moves_the_document() -> None:
    visits = both()
    visits.agree()
    assert moves(visits.record("FOOD", "cold enough")) == []
    assert visits.record("FOOD", "cold enough") == []
    assert refused(lambda: visits.record("FOOD", "warm")) == "INVALID_TRANSITION"
    assert moves(visits.record("PLANT")) == ["done"]
    assert visits.last.state is VisitState.DONE
    asked = [task.agency for task in visits.agenda.case.tasks if task.step == "findings"]
    assert sorted(asked) == ["FOOD", "PLANT"]
    (signature,) = next(
        task for task in visits.agenda.case.tasks if task.agency == "FOOD" and task.step == "visit"
    ).signatures
    assert signature.decision.comment == "cold enough"


def test_nothing_is_recorded_before_all_have_agreed_nor_by_the_operator() -> None:
    visits = both()
    visits.propose()
    assert refused(lambda: visits.record("FOOD")) == "INVALID_TRANSITION"
    with pytest.raises(NotFound):
        visits.record(OPERATOR)


def test_who_was_there_was_not_absent_and_only_the_others_visit_again() -> None:
    visits = both()
    visits.agree()
    visits.now = TUESDAY
    visits.record("FOOD")
    assert refused(lambda: visits.miss("PLANT", "FOOD")) == "INVALID_TRANSITION"
    visits.miss("FOOD", "PLANT")
    wednesday = SLOT.starts_at + timedelta(days=1)
    visits.propose(slot=Slot(wednesday, wednesday + timedelta(hours=1), "Quay 3"))
    assert [party.name for party in visits.last.parties] == [OPERATOR, "PLANT"]


WORDS = st.tuples(
    st.sampled_from(["propose", "confirm", "decline", "miss", "record", "wait"]),
    st.sampled_from(PARTIES),
    st.sampled_from(PARTIES),
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=60))
def test_no_order_of_words_breaks_the_appointment(words: list[tuple[str, str, str]]) -> None:
    """At most one live visit; confirmed only when every party has; nothing found but by a visit agreed and recorded."""
    visits, told = both(), list[str]()
    for word, party, other in words:
        told += moves(said(visits, word, party, other))
        hold(visits)
    assert told.count("done") <= 1
    assert visits.agenda.no_shows_of(OPERATOR) <= 2
    for before, after in itertools.pairwise(told):
        assert after in ALLOWED[before], told


# The moves of the document one after another, as its states allow them.
ALLOWED = {
    "propose": {"confirm", "decline"},
    "confirm": {"decline", "no_show", "absent", "abandon", "done"},
    "decline": {"propose"},
    "no_show": {"propose"},
    "absent": {"propose"},
    "abandon": set[str](),
    "done": set[str](),
}


def said(visits: Appointments, word: str, party: str, other: str) -> list[Fact]:
    """What is refused changes nothing."""
    before = visits.agenda
    try:
        match word:
            case "propose":
                starts_at = visits.control.book.calendars["working"].add(visits.now + timedelta(minutes=1), 60)
                return visits.propose(party, Slot(starts_at, starts_at + timedelta(minutes=30), "Quay 3"))
            case "wait":
                visits.now = visits.control.book.calendars["working"].add(visits.now, 45 * 60)
            case "miss":
                return visits.miss(party, other)
            case _:
                return list(getattr(visits, word)(party)) if visits.agenda.visits else []
    except (PortolanError, IndexError):
        assert visits.agenda == before
    return []


def hold(visits: Appointments) -> None:
    agenda = visits.agenda
    assert sum(visit.is_live for visit in agenda.visits) <= 1
    for visit in agenda.visits:
        if visit.state in {VisitState.CONFIRMED, VisitState.DONE, VisitState.MISSED}:
            assert visit.is_agreed
        if visit.state is VisitState.PROPOSED:
            assert not visit.is_agreed
        assert (visit.state is VisitState.DONE) == (visit.is_agreed and visit.is_recorded)
    if any(task.step == "findings" for task in agenda.case.tasks):
        recorded = {party.name for visit in agenda.visits for party in visit.parties if party.recorded_at}
        assert recorded == {"PLANT", "FOOD"}
        assert any(visit.state is VisitState.DONE for visit in agenda.visits)


def with_visit(step: dict[str, Any], **kind: Any) -> Appointments:
    """As `both`, in a pack whose visit is written otherwise."""
    types = {"check": {**CHECK, "steps": [step if one["key"] == "visit" else one for one in CHECK["steps"]], **kind}}
    return Appointments("PLANT", "FOOD", book=Rulebook.of(a_control_pack(document_types=types)))


def test_a_visit_that_two_must_sign_is_recorded_by_two() -> None:
    """It used to be closed by one signature, whatever the pack asked."""
    visits = with_visit({**VISIT, "mode": "four_eyes"})
    visits.agree()
    visits.now = SLOT.starts_at
    assert moves(visits.record("PLANT")) == []
    assert visits.record("PLANT") == []
    assert visits.last.party("PLANT").recorded_at is None
    assert refused(lambda: visits.record("PLANT", "something else")) == "FOUR_EYES"
    visits.record("PLANT", person="colleague")
    assert visits.last.party("PLANT").recorded_by == "colleague"
    assert [one.person for one in task_of(visits, "PLANT").live_signatures] == ["person-of-PLANT", "colleague"]
    visits.record("FOOD")
    visits.record("FOOD", person="colleague")
    assert visits.last.state is VisitState.DONE


def task_of(visits: Appointments, agency: str) -> Task:
    return next(task for task in visits.agenda.case.tasks if (task.step, task.agency) == ("visit", agency))


def test_who_reviewed_does_not_record_where_the_pack_keeps_them_apart() -> None:
    visits = with_visit(VISIT, incompatible=[["review", "visit"]])
    visits.agree()
    visits.now = SLOT.starts_at
    assert refused(lambda: visits.record("PLANT", person="anna")) == "INCOMPATIBLE_ROLES"
    visits.record("PLANT", person="bilal")


def test_what_a_colleague_has_taken_is_recorded_by_the_colleague_or_the_delegate() -> None:
    visits = with_visit(VISIT)
    visits.agree()
    visits.now = SLOT.starts_at
    claimed = task_of(visits, "PLANT").claim("chadia", visits.now)
    visits.agenda = replace(visits.agenda, case=visits.agenda.case.with_task(claimed))
    with pytest.raises(Conflict, match="TASK_CLAIMED"):
        visits.record("PLANT")
    visits.record("PLANT", person="dina", stands_for=frozenset({"chadia"}))
    signed = task_of(visits, "PLANT").live_signatures[0]
    assert (signed.person, signed.decision.on_behalf_of) == ("dina", "chadia")


def test_when_nobody_agrees_the_agency_fixes_the_slot_where_the_pack_lets_it() -> None:
    """All had used up their proposals, and the case stood still for ever."""
    visits = with_visit({**VISIT, "visit": {**TERMS, "fixed_by": "agency", "proposals_max": 1}})
    for party in PARTIES:
        visits.propose(party)
        visits.decline(next(other for other in PARTIES if other != party))
    assert refused(visits.propose) == "TOO_MANY_VISITS"
    assert moves(visits.propose("PLANT")) == ["propose", "confirm"]
    assert (visits.last.state, visits.last.is_fixed) == (VisitState.CONFIRMED, True)
    assert refused(lambda: visits.decline(OPERATOR)) == "VISIT_FIXED"
    visits.decline("FOOD")
    visits.propose("FOOD")
    visits.now = SLOT.starts_at
    for agency in ("PLANT", "FOOD"):
        visits.record(agency)
    assert visits.last.state is VisitState.DONE


def test_without_a_word_of_the_pack_nobody_fixes_a_slot() -> None:
    visits = with_visit({**VISIT, "visit": {**TERMS, "proposals_max": 1}})
    visits.propose("FOOD")
    visits.decline("PLANT")
    assert refused(lambda: visits.propose("FOOD")) == "TOO_MANY_VISITS"
