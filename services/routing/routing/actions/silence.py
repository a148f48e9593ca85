"""What the law takes silence for is decided here, once, however many sweepers look and however late."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from kit import ids
from kit.database import Database, Tx
from prometheus_client import Counter

from routing import domain, store
from routing.domain import SILENCE, Missed, TaskDecided

from .parking import apart
from .said import say

SILENT_DOCUMENTS_MAX = 100

TACIT_DECISIONS_TOTAL = Counter(
    "portolan_tacit_decisions_total",
    "Tasks that silence decided. Each is an agency that did not answer in the time the law gives it.",
    ["agency", "outcome"],
)


async def fall_silent(database: Database, rulebooks: store.Rulebooks, now: datetime) -> int:
    """One batch; answers how many documents it looked at. One that fails is parked, and the others go on."""
    decided = list[TaskDecided]()
    async with database.transaction() as tx:
        found = await store.silent(tx, now, SILENT_DOCUMENTS_MAX)
        for document_id in found:
            work = partial(_fall_silent, tx, rulebooks, document_id, now)
            decided += await apart(tx, "silence", document_id, now, work, store.park_silence) or []
    for fact in decided:
        TACIT_DECISIONS_TOTAL.labels(fact.task.agency, fact.task.outcome).inc()
    return len(found)


async def _fall_silent(tx: Tx, rulebooks: store.Rulebooks, document_id: str, now: datetime) -> list[TaskDecided]:
    before = await store.case_of_document(tx, document_id)
    assert before is not None  # noqa: S101 - found under its lock
    procedure = before.procedure(await rulebooks.of(before.document.pack_version, tx))
    case, facts = domain.fall_silent(before, procedure, now, ids.new_id)
    decided = [fact for fact in facts if isinstance(fact, TaskDecided) and fact.task.reason_code == SILENCE]
    if not await _claimed(tx, decided, now):
        return []
    await store.save_case(tx, before, case)
    await say(tx, case, facts)
    return decided


async def _claimed(tx: Tx, decided: list[TaskDecided], now: datetime) -> bool:
    """Whether all of it is ours to say: silence decides a task once."""
    claims = [(fact.task.tacit.id, Missed(store.TACIT_RUNG, now)) for fact in decided if fact.task.tacit]
    return len(await store.claim_rungs(tx, claims, now)) == len(claims)
