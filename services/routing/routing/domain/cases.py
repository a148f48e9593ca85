"""The case of one document: its steps one after another, the tasks of a step side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from kit.errors import NotFound, Refused
from packs.history import UNKNOWN, History
from packs.model import Outcome, Step

from .amendments import Amendment, Proposal, Resumption, verdict
from .branching import Said, must_lead_on, spoken, verdict_of
from .conditions import Condition, check_imposed, check_met, settled
from .explanations import Judged, explained
from .facts import CaseClosed, CaseOpened, Fact, ResultFound, TaskDecided, TaskOpened, TaskSigned
from .procedure import Assignment, Facts, Procedure, Rulebook, automatic_outcome
from .tasks import SYSTEM, Decision, Signature, Task, check, check_visit, must_be_compatible
from .timers import Timer, start_timer

COMPLETED = "completed"
UNCONCERNED = "unconcerned"
WITHDRAWN = "withdrawn"
CANCELLED = "cancelled"
NewId = Callable[[], str]


class CaseState(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Submission:
    """What intake says of a document when it is submitted."""

    document_id: str
    reference: str
    document_type: str
    pack_version: str
    owner_organisation_id: str
    submitter_organisation_id: str
    facts: Facts


@dataclass(frozen=True)
class Case:
    """`explanation` keeps what the tables weighed, what was known then, and the tables' own version."""

    id: str
    document: Submission
    rules: tuple[str, ...]
    channel: str
    risk_score: int
    explanation: dict[str, Any]
    opened_at: datetime
    state: CaseState = CaseState.OPEN
    step: str = ""
    outcome: str = ""
    closed_at: datetime | None = None
    tasks: tuple[Task, ...] = ()
    amendment: Amendment | None = None
    conditions: tuple[Condition, ...] = ()

    def task(self, task_id: str) -> Task:
        found = next((task for task in self.tasks if task.id == task_id), None)
        if found is None:
            raise NotFound("NOT_FOUND")
        return found

    def with_task(self, task: Task) -> Case:
        return replace(self, tasks=tuple(task if old.id == task.id else old for old in self.tasks))

    def procedure(self, rulebook: Rulebook) -> Procedure:
        """The very rules it was opened under, last."""
        kind, amended = self.document.document_type, self.amendment
        if amended is None:
            return self.first_procedure(rulebook)
        return rulebook.procedure(kind, amended.facts, rulebook.rules(amended.rules), amended.channel, amended.steps)

    def first_procedure(self, rulebook: Rulebook) -> Procedure:
        """As it was submitted, whatever was amended since."""
        kind, rules = self.document.document_type, rulebook.rules(self.rules)
        return replace(rulebook.procedure(kind, self.document.facts, rules, self.channel), visits=self.visits_due)

    @property
    def visits_due(self) -> frozenset[str]:
        """The rules whose agency must visit the goods, as was found when the case was opened."""
        return frozenset(visit["rule"] for visit in self.explanation.get("visits", ()) if visit["due"])

    def judged(self) -> Judged:
        """The last judgement: of the amendment it was opened again for, else of the submission."""
        last = self.amendment
        if last is None:
            return self.first_judged()
        return Judged(last.rules, last.channel, last.facts, last.explanation, last.opened_at)

    def first_judged(self) -> Judged:
        return Judged(self.rules, self.channel, self.document.facts, self.explanation, self.opened_at)

    def facts_of(self, task: Task) -> Facts:
        """What the task is about; those that were asked before an amendment were asked about something else."""
        if self.amendment is None or task.opened_at < self.amendment.opened_at:
            return self.document.facts
        return self.amendment.shown

    def due_at(self, procedure: Procedure) -> datetime | None:
        """When the whole is due; nobody can say while somebody waits for the operator."""
        open_tasks = [task for task in self.tasks if task.is_undecided]
        terms = [task.due_at for task in open_tasks if task.due_at is not None]
        if not terms or len(terms) < len(open_tasks):
            return None
        return procedure.due_after(self.step, max(terms))

    def is_waiting(self) -> bool:
        return any(task.is_undecided and task.step == self.step for task in self.tasks)


def open_case(
    document: Submission, rulebook: Rulebook, now: datetime, new_id: NewId, history: History = UNKNOWN
) -> tuple[Case, list[Fact]]:
    plan, kind = rulebook.table.plan(document.facts, history), rulebook.type(document.document_type)
    case = Case(
        id=new_id(),
        document=document,
        rules=tuple(rule.id for rule in plan.rules),
        channel=plan.lane.channel,
        risk_score=plan.score,
        explanation=explained(plan, rulebook.table, document.facts, history, with_visits=kind.has_visits),
        opened_at=now,
    )
    procedure = case.procedure(rulebook)
    case, facts = _go_on(case, procedure, now, new_id)
    return case, [CaseOpened(now, procedure.due_at(now)), *facts]


def amend(
    case: Case,
    proposal: Proposal,
    rulebook: Rulebook,
    now: datetime,
    new_id: NewId,
    history: History = UNKNOWN,
) -> tuple[Case, list[Fact]]:
    """Opens the case again. A version heard twice, or after a later one, changes nothing."""
    if case.amendment is not None and case.amendment.version >= proposal.version:
        return case, []
    if case.state is not CaseState.CLOSED:
        raise Refused("INVALID_TRANSITION", "the case is still open")
    return _open_again(case, proposal, rulebook, now, new_id, history)


def resume(
    case: Case,
    resumption: Resumption,
    rulebook: Rulebook,
    now: datetime,
    new_id: NewId,
    history: History = UNKNOWN,
) -> tuple[Case, list[Fact]]:
    """Begins again at one of its own steps, by what the document says now. Heard twice it changes nothing."""
    if case.amendment is not None and case.amendment.version >= resumption.version:
        return case, []
    if case.state is not CaseState.CLOSED:
        raise Refused("INVALID_TRANSITION", "the case is still open")
    stands = Proposal(resumption.document_id, resumption.version, resumption.facts, (), "", ())
    return _open_again(case, stands, rulebook, now, new_id, history, resumption.step)


def _open_again(
    case: Case,
    proposal: Proposal,
    rulebook: Rulebook,
    now: datetime,
    new_id: NewId,
    history: History,
    step: str = "",
) -> tuple[Case, list[Fact]]:
    facts = {**proposal.facts, "type": case.document.document_type}
    plan = rulebook.table.plan(facts, history)
    amendment = Amendment(
        version=proposal.version,
        facts=facts,
        changes=proposal.changes,
        remarks=proposal.remarks,
        steps=proposal.steps,
        rules=tuple(rule.id for rule in plan.rules),
        channel=plan.lane.channel,
        opened_at=now,
        explanation=explained(plan, rulebook.table, facts, history),
    )
    opened = replace(case, state=CaseState.OPEN, step="", outcome="", closed_at=None, amendment=amendment)
    return _go_on(opened, opened.procedure(rulebook), now, new_id, step)


def decide(
    case: Case, task_id: str, decision: Decision, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact]]:
    task, asked = case.task(task_id), procedure.asked_quantity()
    if task.has_been_told(decision):
        return case, []
    task.must_not_be_silent(now)
    task.must_accept(*decision.signers)
    must_be_compatible(case.tasks, task, decision.signers)
    outcome = check(decision, procedure.step(task.step), procedure.reasons, task, asked)
    check_visit(decision, outcome, task, is_due=task.rule in procedure.visits)
    must_lead_on(outcome, procedure.target(outcome), case.tasks)
    check_imposed(decision, procedure.type, procedure.step(task.step), procedure.rulebook.pack.lists)
    check_met(decision, task, outcome, case.conditions)
    signature = Signature(new_id(), decision, now)
    task, is_settled = task.sign(signature, asked)
    if not is_settled:
        return case.with_task(task), [TaskSigned(task, signature)]
    return _agree(case, task, outcome, decision, procedure, now, new_id)


def _agree(
    case: Case, task: Task, outcome: Outcome, last: Decision, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact]]:
    """Enough officers say the same: the task is decided, with the conditions it sets and those it found met."""
    before = case.conditions
    case = replace(case, conditions=settled(before, task, procedure.type, now, new_id))
    decided = task.conclude(last, procedure.asked_quantity(), now)
    imposed = case.conditions[len(before) :]
    met = tuple(one for one in case.conditions if one.met_task_id == task.id)
    case, facts = conclude(case, decided, outcome, procedure, now, new_id)
    return case, [_with_conditions(fact, task, imposed, met) for fact in facts]


def _with_conditions(fact: Fact, task: Task, imposed: tuple[Condition, ...], met: tuple[Condition, ...]) -> Fact:
    if isinstance(fact, TaskDecided) and fact.task.id == task.id:
        return replace(fact, imposed=imposed, met=met)
    return fact


def withdraw(case: Case, now: datetime) -> tuple[Case, list[Fact]]:
    return end(case, WITHDRAWN, now)


def end(case: Case, outcome: str, now: datetime) -> tuple[Case, list[Fact]]:
    """Whom the document belongs to ends it; a case that is closed stays as it was."""
    if case.state is CaseState.CLOSED:
        return case, []
    return _close(case, outcome, now)


def ended_unheard(document: Submission, outcome: str, now: datetime, new_id: NewId) -> Case:
    """A withdrawal overtook its submission: the place is taken, so that the late submission opens nothing."""
    case = Case(new_id(), document, (), "green", 0, {}, now)
    return replace(case, state=CaseState.CLOSED, outcome=outcome, closed_at=now)


def _go_on(case: Case, procedure: Procedure, now: datetime, new_id: NewId, target: str = "") -> tuple[Case, list[Fact]]:
    """Opens the next step that concerns anybody, from `target` where one is named; closes the case when none does."""
    for step in procedure.steps_from(target) if target else procedure.steps_after(case.step):
        assignments = procedure.assignments(step, case.tasks)
        if assignments:
            return _enter(replace(case, step=step.key), step, assignments, procedure, now, new_id)
    if not case.tasks and procedure.type.unconcerned:
        return _close(case, UNCONCERNED, now, procedure.type.unconcerned)
    return _close(case, COMPLETED, now)


def _enter(
    case: Case, step: Step, parts: tuple[Assignment, ...], procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact]]:
    if any(condition.awaits(step.key) for condition in case.conditions):
        # Somebody has to say that it is met.
        parts = tuple(replace(part, is_automatic=False) for part in parts)
    tasks = tuple(_task(part, procedure, now, new_id) for part in parts)
    case = replace(case, tasks=(*case.tasks, *tasks))
    due_at = case.due_at(procedure)
    facts: list[Fact] = [TaskOpened(task, "" if number else step.enters, due_at) for number, task in enumerate(tasks)]
    for task, part in zip(tasks, parts, strict=True):
        if part.is_automatic:
            key, outcome = automatic_outcome(step)
            decided = task.conclude(Decision(SYSTEM, key), procedure.asked_quantity(), now)
            case, more = conclude(case, decided, outcome, procedure, now, new_id)
            facts += more
    return case, facts


def _task(part: Assignment, procedure: Procedure, now: datetime, new_id: NewId) -> Task:
    return Task(
        id=new_id(),
        step=part.step.key,
        agency=part.agency,
        role=part.step.role,
        mode="automatic" if part.is_automatic else part.mode,
        rule=part.rule,
        signatures_required=part.signatures_required,
        opened_at=now,
        timer=start_timer(
            new_id(), part.calendar, part.sla_seconds, now, procedure.calendars, procedure.ladder(part.step)
        ),
        tacit=_tacit(part, procedure, now, new_id),
        exclusive=procedure.type.excluded_by(part.step.key),
        tacit_outcome=part.tacit.outcome if part.tacit else "",
    )


def _tacit(part: Assignment, procedure: Procedure, now: datetime, new_id: NewId) -> Timer | None:
    if part.tacit is None or part.is_automatic:
        return None
    return start_timer(new_id(), part.tacit.calendar, part.tacit.seconds, now, procedure.calendars, ladder=())


def conclude(
    case: Case, task: Task, outcome: Outcome, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact]]:
    """Of parallel tasks the heaviest outcome speaks for the step once all are decided; one that closes, at once."""
    case = case.with_task(task)
    is_finding = bool(outcome.non_conforming) and task.decided_by != SYSTEM
    if outcome.then == "close":
        case, facts = _close(case, task.outcome, now)
        return case, [TaskDecided(task, _event(case, procedure, outcome), is_non_conforming=is_finding), *facts]
    if case.is_waiting():
        return case, [TaskDecided(task, "", is_non_conforming=is_finding)]
    said = spoken(procedure.step(task.step), case.tasks) or (task.outcome, outcome)
    case, facts, outcome = _follow(case, said, procedure, now, new_id)
    found: list[Fact] = [ResultFound(task, outcome.result, now)] if outcome.result else []
    return case, [TaskDecided(task, _event(case, procedure, outcome), is_non_conforming=is_finding), *found, *facts]


def _follow(
    case: Case, said: Said, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact], Outcome]:
    """Where the step's word leads, and the outcome whose event the document then hears."""
    key, outcome = said
    if outcome.then == "finish":
        key, outcome = verdict_of(procedure.steps, case.tasks, said)
        return *_close(case, key, now), outcome
    return *_go_on(case, procedure, now, new_id, outcome.leads_to), outcome


def _event(case: Case, procedure: Procedure, outcome: Outcome) -> str:
    if case.amendment is None:
        return outcome.event
    return verdict(procedure.type, case.amendment, outcome, is_closed=case.state is CaseState.CLOSED)


def _close(case: Case, outcome: str, now: datetime, document_event: str = "") -> tuple[Case, list[Fact]]:
    tasks = tuple(task.cancel() if task.is_undecided else task for task in case.tasks)
    closed = replace(case, state=CaseState.CLOSED, outcome=outcome, closed_at=now, tasks=tasks)
    return closed, [CaseClosed(outcome, now, document_event)]
