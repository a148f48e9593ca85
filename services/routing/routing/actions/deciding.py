"""What an officer does with a task. Each locks the case first, so that decisions and withdrawals come one by one."""

from __future__ import annotations

from kit import clock, ids
from kit.database import Database

from routing import domain, store
from routing.domain import Case, Decision, Officer

from .said import say


async def claim(database: Database, officer: Officer, task_id: str) -> Case:
    async with database.transaction() as tx:
        before = await store.case_of_task(tx, task_id)
        task = before.task(task_id)
        officer.must_act(before, task)
        case = before.with_task(task.claim(officer.person))
        await store.save_case(tx, before, case)
    return case


async def release(database: Database, officer: Officer, task_id: str) -> Case:
    async with database.transaction() as tx:
        before = await store.case_of_task(tx, task_id)
        task = before.task(task_id)
        officer.must_act(before, task)
        case = before.with_task(task.release(officer.person))
        await store.save_case(tx, before, case)
    return case


async def decide(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, task_id: str, decision: Decision
) -> Case:
    """The same decision by the same person again changes nothing and answers the same."""
    async with database.transaction() as tx:
        before = await store.case_of_task(tx, task_id)
        officer.must_act(before, before.task(task_id))
        procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
        case, facts = domain.decide(before, task_id, decision, procedure, clock.now(), ids.new_id)
        await store.save_case(tx, before, case)
        await say(tx, case, facts)
    return case
