"""Expire: a title whose validity has passed, with something left and nothing held at the port, is imputed no more."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, time, timedelta

import psycopg
from kit import clock, outbox, telemetry
from kit.database import Database, Tx
from kit.errors import Unavailable
from packs.titles import EXPIRE

from intake.actions import facts, metrics
from intake.domain import titles
from intake.domain.documents import Document, Item
from intake.domain.rulebook import Rulebooks
from intake.store import documents, expiries, ledgers

SWEEP_EVERY_S = 5.0
RETRY_S = 10.0
SWEEP_DOCUMENTS_MAX = 100
# A document that cannot be judged now must not keep the others waiting.
LOOK_AGAIN = timedelta(minutes=10)


async def watch(db: Database, rulebooks: Rulebooks, stop: asyncio.Event) -> None:
    """Sweeps until told to stop; a full batch is followed at once by the next."""
    while not stop.is_set():
        wait_s = SWEEP_EVERY_S
        try:
            if await sweep(db, rulebooks) == SWEEP_DOCUMENTS_MAX:
                continue
        except (Unavailable, psycopg.Error) as error:
            telemetry.log().warning("expiry_waits", reason=str(error))
            wait_s = RETRY_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)


async def sweep(db: Database, rulebooks: Rulebooks) -> int:
    """One batch, each title in its own transaction; answers how many were looked at. One that fails stops no other."""
    async with db.connection() as connection:
        found = await expiries.due(connection, clock.now(), SWEEP_DOCUMENTS_MAX)
    for document_id in found:
        await _look_at_or_park(db, rulebooks, document_id)
    return len(found)


async def _look_at_or_park(db: Database, rulebooks: Rulebooks, document_id: str) -> None:
    """Raises only when the database itself is not there."""
    try:
        await _look_at(db, rulebooks, document_id)
    except (Unavailable, psycopg.OperationalError):
        raise
    except Exception:  # whatever is wrong with one title is not wrong with the others
        telemetry.log().exception("expiry_parked", document_id=document_id, again_after_s=LOOK_AGAIN.total_seconds())
        metrics.EXPIRIES_PARKED_TOTAL.inc()
        async with db.transaction() as tx:
            await expiries.look_again(tx, document_id, clock.now() + LOOK_AGAIN)


async def _look_at(db: Database, rulebooks: Rulebooks, document_id: str) -> None:
    async with db.transaction() as tx:
        document = await documents.lock(tx, document_id)
        if document is None or document.valid_until is None:
            return
        try:
            ends = _end_of_validity(rulebooks, document, document.valid_until)
        except Unavailable:
            await expiries.look_again(tx, document_id, clock.now() + LOOK_AGAIN)
            return
        if clock.now() < ends:
            await expiries.look_again(tx, document_id, ends)
            return
        await _expire(tx, rulebooks, document)
        # Whatever changes it later has it looked at again.
        await expiries.look_again(tx, document_id, None)


def _end_of_validity(rulebooks: Rulebooks, document: Document, valid_until: datetime) -> datetime:
    """Valid through the last day, where the country is."""
    zone = rulebooks.of(document).timezone
    last = valid_until.astimezone(zone).date()
    return datetime.combine(last + timedelta(days=1), time.min, zone)


async def _expire(tx: Tx, rulebooks: Rulebooks, document: Document) -> None:
    kind, now = rulebooks.kind(document), clock.now()
    move = kind.transition(document.state, EXPIRE)
    lines = await ledgers.lines(tx, document.id)
    if move is None or titles.is_full(lines) or any(line.reserved for line in lines):
        return
    await documents.save(tx, document.follow(kind, move, now), [Item("state", now).moving(move)])
    await outbox.append_many(tx, [facts.document_decided(document, move, now)])
    metrics.TITLES_EXPIRED_TOTAL.inc()
