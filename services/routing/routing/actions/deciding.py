"""What an officer does with a task. Each locks the case first, so that decisions and withdrawals come one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kit import clock, ids
from kit.database import Database, Tx

from routing import domain, store
from routing.domain import Case, Decision, Officer, Task, must_be_compatible

from .said import say


async def claim(database: Database, officer: Officer, task_id: str) -> Case:
    """What an absent colleague had taken, the delegate may take over."""
    now = clock.now()

    def take(case: Case, task: Task, officer: Officer) -> Task:
        must_be_compatible(case.tasks, task, {officer.person})
        return task.claim(officer.person, now, officer.stands_for)

    return await _act(database, officer, task_id, take)


async def release(database: Database, officer: Officer, task_id: str) -> Case:
    return await _act(
        database, officer, task_id, lambda _, task, officer: task.release(officer.person, officer.stands_for)
    )


async def assign(database: Database, supervisor: Officer, task_id: str, person: str) -> Case:
    """To somebody of the agency, who still needs the role to act; the same again changes nothing."""
    async with database.transaction() as tx:
        before = await store.case_of_task(tx, task_id)
        task = before.task(task_id)
        supervisor.must_supervise(task)
        must_be_compatible(before.tasks, task, {person})
        case = before.with_task(task.assign(person, clock.now()))
        await store.save_case(tx, before, case)
    return case


async def decide(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, task_id: str, decision: Decision
) -> Case:
    """The same decision by the same person again changes nothing and answers the same."""
    async with database.transaction() as tx:
        officer = await standing_in(tx, officer)
        before = await store.case_of_task(tx, task_id)
        task = before.task(task_id)
        officer.must_act(before, task)
        procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
        spoken = decision if task.has_been_told(decision) else officer.speaking(task, decision)
        case, facts = domain.decide(before, task_id, spoken, procedure, clock.now(), ids.new_id)
        await store.save_case(tx, before, case)
        await say(tx, case, facts)
    return case


async def standing_in(tx: Tx, officer: Officer) -> Officer:
    """With those whose delegate the officer is now."""
    absent = await store.standing.stood_in_for(tx, officer.person, officer.agency, clock.now())
    return replace(officer, stands_for=absent)


async def _act(
    database: Database, officer: Officer, task_id: str, change: Callable[[Case, Task, Officer], Task]
) -> Case:
    async with database.transaction() as tx:
        officer = await standing_in(tx, officer)
        before = await store.case_of_task(tx, task_id)
        task = before.task(task_id)
        officer.must_act(before, task)
        case = before.with_task(change(before, task, officer))
        await store.save_case(tx, before, case)
    return case
