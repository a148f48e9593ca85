"""Making an appointment: proposed by one party, confirmed by all, declined, missed, or kept and recorded by each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from kit.errors import Invalid, NotFound, Refused, Violation
from packs.model import Step, VisitTerms

from .cases import Case, CaseState, NewId, conclude, end
from .facts import Fact, TaskSigned, VisitConfirmed, VisitDeclined, VisitMissed, VisitProposed
from .information import WORKING
from .procedure import Procedure
from .tasks import Decision, Signature, Task, must_be_compatible
from .timers import calendar_named
from .visits import OPERATOR, Attendant, NoShow, Party, Slot, Visit, VisitState

NO_SHOW = "no_show"
VISITS_MAX = 200


@dataclass(frozen=True)
class Agenda:
    """A case with the visits that were ever proposed for it, by number."""

    case: Case
    visits: tuple[Visit, ...] = ()

    @property
    def live(self) -> Visit | None:
        return next((visit for visit in self.visits if visit.is_live), None)

    def visit(self, visit_id: str) -> Visit:
        found = next((visit for visit in self.visits if visit.id == visit_id), None)
        if found is None:
            raise NotFound("NOT_FOUND")
        return found

    def keeping(self, visit: Visit) -> Agenda:
        if all(old.id != visit.id for old in self.visits):
            return replace(self, visits=(*self.visits, visit))
        return replace(self, visits=tuple(visit if old.id == visit.id else old for old in self.visits))

    def no_shows_of(self, party: str) -> int:
        return sum(no_show.party == party for visit in self.visits for no_show in visit.no_shows)


@dataclass(frozen=True)
class VisitProposal:
    """The same `request_id` again is the same proposal."""

    who: Attendant
    slot: Slot
    request_id: str


def propose(
    agenda: Agenda, proposal: VisitProposal, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Agenda, Visit, list[Fact]]:
    known = next((visit for visit in agenda.visits if visit.request_id == proposal.request_id), None)
    if known is not None:
        _must_be_the_same(known, proposal)
        return agenda, known, []
    step, terms = _visiting(agenda.case, procedure)
    names = (OPERATOR, *dict.fromkeys(task.agency for task in _waiting(agenda.case, step)))
    if proposal.who.party not in names:
        raise NotFound("NOT_FOUND")
    if agenda.live is not None:
        raise Refused("INVALID_TRANSITION", "a visit is proposed already: confirm it, or decline it first")
    is_fixed = _has_proposed_enough(agenda, proposal.who.party, terms)
    if is_fixed:
        _must_be_let_fix(agenda, proposal.who.party, terms)
    _must_be_possible(proposal.slot, terms, procedure, now)
    visit = Visit(
        id=new_id(),
        number=len(agenda.visits) + 1,
        step=step.key,
        slot=proposal.slot,
        proposed_by=proposal.who,
        proposed_at=now,
        parties=tuple(Party(name) for name in names),
        request_id=proposal.request_id,
    )
    if is_fixed:
        visit = visit.fixed(proposal.who, now)
        agreed = VisitConfirmed(visit, proposal.who, now, terms.confirmed)
        return agenda.keeping(visit), visit, [VisitProposed(visit, terms.proposed), agreed]
    visit = visit.confirmed(proposal.who, now)
    return agenda.keeping(visit), visit, [VisitProposed(visit, terms.proposed)]


def confirm(
    agenda: Agenda, visit_id: str, who: Attendant, procedure: Procedure, now: datetime
) -> tuple[Agenda, Visit, list[Fact]]:
    visit = agenda.visit(visit_id)
    if visit.party(who.party).confirmed_at is not None:
        return agenda, visit, []
    _, terms = _visiting(agenda.case, procedure)
    _must_be(visit, VisitState.PROPOSED)
    if visit.has_begun(now):
        raise Refused("INVALID_TRANSITION", "the slot has passed: decline it, and propose another")
    visit = visit.confirmed(who, now)
    event = terms.confirmed if visit.is_agreed else ""
    return agenda.keeping(visit), visit, [VisitConfirmed(visit, who, now, event)]


def decline(
    agenda: Agenda, visit_id: str, who: Attendant, reason: str, procedure: Procedure, now: datetime
) -> tuple[Agenda, Visit, list[Fact]]:
    """Also what was confirmed, until it begins; afterwards somebody came or did not."""
    visit = agenda.visit(visit_id)
    visit.party(who.party)
    if (visit.state, visit.ended_by, visit.reason) == (VisitState.DECLINED, who.party, reason):
        return agenda, visit, []
    _, terms = _visiting(agenda.case, procedure)
    _must_be(visit, VisitState.PROPOSED, VisitState.CONFIRMED)
    if visit.is_fixed and who.party == OPERATOR:
        raise Refused("VISIT_FIXED", "the agency fixed this appointment, as no other could be agreed on")
    if visit.state is VisitState.CONFIRMED and visit.has_begun(now):
        raise Refused("INVALID_TRANSITION", "the visit has begun: say who did not come, or record it")
    visit = visit.declined(who, reason, now)
    return agenda.keeping(visit), visit, [VisitDeclined(visit, who, now, terms.declined)]


def miss(
    agenda: Agenda, visit_id: str, who: Attendant, absent: str, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Agenda, Visit, list[Fact]]:
    """One party tells of another. A second absence of the same visit is kept too, and moves nothing more."""
    visit = agenda.visit(visit_id)
    visit.party(who.party)
    party = next((party for party in visit.parties if party.name == absent), None)
    if party is None or absent == who.party:
        _refuse("/party", "NOT_ANOTHER_PARTY", "one of the other parties to the visit")
    if visit.missed_by(absent):
        return agenda, visit, []
    _, terms = _visiting(agenda.case, procedure)
    _must_be(visit, VisitState.CONFIRMED, VisitState.MISSED)
    if not visit.has_begun(now):
        raise Refused("INVALID_TRANSITION", "the visit has not begun: nobody is late")
    if party.recorded_at is not None:
        raise Refused("INVALID_TRANSITION", "that party was there: it recorded what it found")
    moves = visit.state is VisitState.CONFIRMED
    visit = visit.missed(NoShow(new_id(), visit.id, absent, who, now))
    return _after_absence(agenda.keeping(visit), visit, terms, now, moves=moves)


def record(
    agenda: Agenda, visit_id: str, who: Attendant, findings: str, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Agenda, Visit, list[Fact]]:
    """What an agency found decides its task; the last to record lets the case go on.

    Who may record is who may decide: where two must sign, the second's record is the agency's.
    """
    visit = agenda.visit(visit_id)
    party = visit.party(who.party)
    if not party.is_agency:
        raise NotFound("NOT_FOUND")
    if party.recorded_at is not None and (party.findings, party.recorded_by) == (findings, who.person):
        return agenda, visit, []
    step, terms = _visiting(agenda.case, procedure)
    _must_be(visit, VisitState.CONFIRMED)
    if party.recorded_at is not None:
        raise Refused("INVALID_TRANSITION", "the agency has recorded what it found")
    case, facts, is_whole = agenda.case, list[Fact](), True
    for task in [task for task in _waiting(case, step) if task.agency == who.party]:
        said = _finding(task, who, terms.recorded, findings)
        if _has_signed(task, said):
            is_whole = False
            continue
        task.must_accept(*said.signers)
        must_be_compatible(case.tasks, task, said.signers)
        signature = Signature(new_id(), said, now)
        signed, is_settled = task.sign(signature, None)
        if not is_settled:
            case, is_whole = case.with_task(signed), False
            facts.append(TaskSigned(signed, signature))
            continue
        outcome = step.outcomes[terms.recorded]
        case, more = conclude(case, signed.conclude(said, None, now), outcome, procedure, now, new_id)
        facts += more
    visit = visit.recorded(who, findings, now) if is_whole else visit
    return replace(agenda, case=case).keeping(visit), visit, facts


def _finding(task: Task, who: Attendant, outcome: str, findings: str) -> Decision:
    absent = task.claimed_by if task.claimed_by in who.stands_for else ""
    return Decision(who.person, outcome, comment=findings, on_behalf_of=absent)


def _has_signed(task: Task, said: Decision) -> bool:
    """The same words of the same person again, while a second signature is missing."""
    return any(one.decision.words == said.words for one in task.live_signatures)


def _has_proposed_enough(agenda: Agenda, party: str, terms: VisitTerms) -> bool:
    """Each has an allowance of its own: nobody can use up another's."""
    return sum(visit.proposed_by.party == party for visit in agenda.visits) >= terms.proposals_max


def _must_be_let_fix(agenda: Agenda, party: str, terms: VisitTerms) -> None:
    """Past its own allowance an agency fixes the slot, where the pack says so, and nobody else proposes."""
    if party == OPERATOR or terms.fixed_by != "agency":
        raise Refused("TOO_MANY_VISITS", f"no more than {terms.proposals_max} proposals of one party for one document")
    if len(agenda.visits) >= VISITS_MAX:
        raise Refused("TOO_MANY_VISITS", f"no more than {VISITS_MAX} visits of one document")


def _after_absence(
    agenda: Agenda, visit: Visit, terms: VisitTerms, now: datetime, *, moves: bool
) -> tuple[Agenda, Visit, list[Fact]]:
    told = visit.no_shows[-1]
    if agenda.no_shows_of(OPERATOR) >= terms.no_shows_max and told.party == OPERATOR and moves:
        case, facts = end(agenda.case, NO_SHOW, now)
        ended: list[Fact] = [VisitMissed(visit, told, terms.abandoned), *facts]
        return replace(agenda, case=case), visit, ended
    event = terms.missed_by_operator if told.party == OPERATOR else terms.missed_by_agency
    return agenda, visit, [VisitMissed(visit, told, event if moves else "")]


def _visiting(case: Case, procedure: Procedure) -> tuple[Step, VisitTerms]:
    step = procedure.step(case.step) if case.step else None
    if case.state is not CaseState.OPEN or step is None or step.visit is None:
        raise Refused("INVALID_TRANSITION", "no visit is due")
    return step, step.visit


def _waiting(case: Case, step: Step) -> list[Task]:
    return [task for task in case.tasks if task.step == step.key and task.is_undecided]


def _must_be(visit: Visit, *states: VisitState) -> None:
    if visit.state not in states:
        raise Refused("INVALID_TRANSITION", f"the visit is {visit.state.lower()}", facts={"state": visit.state})


def _must_be_the_same(known: Visit, proposal: VisitProposal) -> None:
    if (known.proposed_by, known.slot) != (proposal.who, proposal.slot):
        raise Invalid("IDEMPOTENCY_KEY_REUSED", "the key stands for another proposal")


def _must_be_possible(slot: Slot, terms: VisitTerms, procedure: Procedure, now: datetime) -> None:
    """To come, not too far off, not too long, all of it working time."""
    lasts = slot.ends_at - slot.starts_at
    if slot.starts_at <= now:
        _refuse("/from", "PAST", "a visit is still to come")
    if slot.starts_at > now + timedelta(days=terms.days_ahead_max):
        _refuse("/from", "TOO_FAR", f"within {terms.days_ahead_max} days")
    if not timedelta() < lasts <= timedelta(minutes=terms.slot_minutes_max):
        _refuse("/to", "OUT_OF_RANGE", f"after it begins, and within {terms.slot_minutes_max} minutes")
    worked = calendar_named(WORKING, procedure.calendars).between(slot.starts_at, slot.ends_at)
    if worked < int(lasts.total_seconds()):
        _refuse("/from", "NOT_WORKING_TIME", "officers visit in their working hours")


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_REQUEST", message, violations=[Violation(pointer, code, message)])
