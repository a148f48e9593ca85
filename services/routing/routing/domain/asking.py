"""A task that waits for the operator: its clock stands still from the question until the answers, or until the term."""

from __future__ import annotations

from datetime import datetime

from kit.errors import Refused
from packs.model import Information as Terms

from .cases import Case, NewId
from .facts import Fact, InformationLapsed, InformationRequested, TaskResumed
from .information import ANSWER_SECONDS_DEFAULT, WORKING, Information, Inquiry
from .procedure import Procedure
from .tasks import Task, TaskState
from .timers import calendar_named


def request_information(
    case: Case, task_id: str, inquiry: Inquiry, procedure: Procedure, now: datetime, new_id: NewId
) -> tuple[Case, list[Fact]]:
    """Once for each agency and document; the same inquiry again is a repeat."""
    task = case.task(task_id)
    if task.information is not None and task.information.inquiry == inquiry:
        return case, []
    terms = _terms(procedure, task)
    if has_asked(case, task.agency):
        raise Refused("ALREADY_ASKED", "an agency asks once, for everything it needs")
    task.must_accept(inquiry.person)
    information = Information(new_id(), inquiry, now, _due_at(terms, procedure, now))
    task.must_not_be_silent(now)
    task = task.ask(information, now, procedure.calendars)
    return case.with_task(task), [InformationRequested(task, information, terms.asks)]


def provide_information(
    case: Case, information_id: str, answers: tuple[str, ...], procedure: Procedure, now: datetime
) -> tuple[Case, list[Fact]]:
    """Answers that crossed the lapse are kept for the officer all the same; the clock runs already."""
    task = _asked_by(case, information_id)
    if task is None or task.information is None or task.information.answers:
        return case, []
    information = task.information.provide(answers, now)
    if task.state is not TaskState.WAITING:
        return case.with_task(task.told(information)), []
    task = task.resume(information, now, procedure.calendars)
    case = case.with_task(task)
    return case, [TaskResumed(task, now, case.due_at(procedure))]


def lapse(case: Case, procedure: Procedure, now: datetime) -> tuple[Case, list[Fact]]:
    """Back to the officers whose term for the operator has passed: they judge the file as it stands."""
    facts: list[Fact] = []
    for task in case.tasks:
        information = task.information
        if information is not None and information.is_open and information.due_at <= now:
            lapsed = information.lapse(now)
            task = task.resume(lapsed, now, procedure.calendars)
            case = case.with_task(task)
            facts += [
                InformationLapsed(task, lapsed, _terms(procedure, task).lapses),
                TaskResumed(task, now, case.due_at(procedure)),
            ]
    return case, facts


def may_ask(case: Case, task: Task, procedure: Procedure) -> bool:
    return task.is_live and procedure.step(task.step).information is not None and not has_asked(case, task.agency)


def has_asked(case: Case, agency: str) -> bool:
    return any(task.information is not None for task in case.tasks if task.agency == agency)


def _asked_by(case: Case, information_id: str) -> Task | None:
    asked = (task for task in case.tasks if task.information is not None and task.information.id == information_id)
    return next(asked, None)


def _terms(procedure: Procedure, task: Task) -> Terms:
    terms = procedure.step(task.step).information
    if terms is None:
        raise Refused("INVALID_TRANSITION", "this step asks the operator nothing")
    return terms


def _due_at(terms: Terms, procedure: Procedure, now: datetime) -> datetime:
    seconds = ANSWER_SECONDS_DEFAULT if terms.answer_seconds is None else terms.answer_seconds
    return calendar_named(WORKING, procedure.calendars).add(now, seconds)
