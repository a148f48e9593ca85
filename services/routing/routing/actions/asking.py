"""Asking the operator: the request, the answers that come, the term that passes. Each waits for the case's lock."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from kit import clock, ids
from kit.database import Database, Tx
from prometheus_client import Counter

from routing import domain, store
from routing.domain import Case, InformationLapsed, Inquiry, Officer

from .parking import apart
from .said import say

LAPSE_DOCUMENTS_MAX = 100

INFORMATION_LAPSED_TOTAL = Counter(
    "portolan_information_lapsed_total",
    "Requests for information nobody answered in time. A jump means that operators do not hear of them.",
)


async def request_information(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, task_id: str, inquiry: Inquiry
) -> Case:
    """The same inquiry by the same person again changes nothing and answers the same."""
    async with database.transaction() as tx:
        before = await store.case_of_task(tx, task_id)
        officer.must_act(before, before.task(task_id))
        procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
        case, facts = domain.request_information(before, task_id, inquiry, procedure, clock.now(), ids.new_id)
        await store.save_case(tx, before, case)
        await say(tx, case, facts)
    return case


async def provide_information(
    tx: Tx, rulebooks: store.Rulebooks, document_id: str, information_id: str, answers: tuple[str, ...]
) -> None:
    """The consumer brings the transaction. A case that is closed meanwhile keeps what it was told."""
    before = await store.case_of_document(tx, document_id)
    if before is None or before.document.pack_version == "":
        return
    procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
    case, facts = domain.provide_information(before, information_id, answers, procedure, clock.now())
    await store.save_case(tx, before, case)
    await say(tx, case, facts)


async def lapse(database: Database, rulebooks: store.Rulebooks, now: datetime) -> int:
    """One batch; answers how many documents it looked at. One that fails is parked, and the others go on."""
    lapsed = 0
    async with database.transaction() as tx:
        found = await store.unanswered(tx, now, LAPSE_DOCUMENTS_MAX)
        for document_id in found:
            work = partial(_lapse, tx, rulebooks, document_id, now)
            lapsed += await apart(tx, "information", document_id, now, work, store.park_information) or 0
    INFORMATION_LAPSED_TOTAL.inc(lapsed)
    return len(found)


async def _lapse(tx: Tx, rulebooks: store.Rulebooks, document_id: str, now: datetime) -> int:
    before = await store.case_of_document(tx, document_id)
    assert before is not None  # noqa: S101 - found under its lock
    procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
    case, facts = domain.lapse(before, procedure, now)
    await store.save_case(tx, before, case)
    await say(tx, case, facts)
    return sum(isinstance(fact, InformationLapsed) for fact in facts)
