"""Cancel: whom it belongs to ends a document for good, while customs holds nothing of it."""

from __future__ import annotations

from dataclasses import replace

from kit import clock, outbox
from kit.database import Database, Tx
from kit.errors import Malformed

from intake.actions import acts, facts, versions, withdrawing
from intake.actions.acts import Act, Acted
from intake.actions.directory import WITHDRAW as POWER
from intake.actions.directory import Directory
from intake.domain.documents import CANCEL, Document, Item, transition
from intake.domain.rulebook import Rulebooks
from intake.domain.values import is_plain_text
from intake.store import documents, timelines


async def cancel(db: Database, rulebooks: Rulebooks, directory: Directory, act: Act, reason: str) -> Acted:
    """The same key again is the same answer. Raises Refused while something of it is imputed or reserved."""
    if not reason.strip() or not is_plain_text(reason):
        raise Malformed("MALFORMED", "a cancellation has a reason: plain text, not too long")
    document, _ = await acts.subject(db, directory, act, POWER)
    async with db.transaction() as tx:
        document = await acts.locked(tx, document.id)
        earlier = await acts.earlier(tx, act, document.id)
        if earlier is not None:
            return earlier
        document.require_match(act.if_match)
        await withdrawing.refuse_held(tx, document)
        cancelled = await _end(tx, rulebooks, document, act, reason)
        return await acts.answered(tx, rulebooks, act, cancelled)


async def _end(tx: Tx, rulebooks: Rulebooks, document: Document, act: Act, reason: str) -> Document:
    now, kind = clock.now(), rulebooks.kind(document)
    move = transition(document, kind, CANCEL)
    cancelled = document.follow(kind, move, now)
    item = replace(Item("state", now, actor=act.caller.subject).moving(move), detail={"reason": reason})
    await documents.save(tx, cancelled, [item])
    await timelines.close_tasks(tx, document.id)
    await versions.drop(tx, document.id)
    await outbox.append_many(tx, [facts.document_cancelled(document, move, now, reason)])
    return cancelled
