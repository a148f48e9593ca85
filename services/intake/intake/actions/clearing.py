"""Clear: the title's bank declares its payments reconciled with what customs imputed, and nothing changes again."""

from __future__ import annotations

from dataclasses import replace

from kit import clock, outbox
from kit.database import Database, Tx
from kit.errors import Malformed, Refused
from packs.titles import CLEAR

from intake.actions import acts, facts, reading, settling
from intake.actions.acts import Act, Acted
from intake.actions.settling import Account
from intake.domain import envelope
from intake.domain.documents import Document, Item, transition
from intake.domain.rulebook import Rulebooks
from intake.domain.values import is_plain_text
from intake.store import documents, expiries, ledgers


async def clear(db: Database, rulebooks: Rulebooks, act: Act, remarks: str) -> Acted:
    """The same key again is the same answer. Raises Refused UNRECONCILED with what is paid and what is imputed."""
    if not is_plain_text(remarks):
        raise Malformed("MALFORMED", "the remarks are not plain text, or too long")
    if act.idempotency_key:
        envelope.idempotency_key(act.idempotency_key)
    async with db.connection() as connection:
        document = await reading.visible(connection, act.asked, act.caller)
    async with db.transaction() as tx:
        document = await acts.locked(tx, document.id)
        held = await settling.account(tx, rulebooks, document)
        held.require_recorder(act.caller)
        earlier = await acts.earlier(tx, act, document.id)
        if earlier is not None:
            return earlier
        document.require_match(act.if_match)
        cleared = await _clear(tx, rulebooks, held, act, remarks)
        return await acts.answered(tx, rulebooks, act, cleared)


async def _clear(tx: Tx, rulebooks: Rulebooks, held: Account, act: Act, remarks: str) -> Document:
    now, document = clock.now(), held.document
    kind = rulebooks.kind(document)
    move = transition(document, kind, CLEAR)
    held.settlement.refuse_unreconciled(held.terms)
    if any(line.reserved for line in await ledgers.lines(tx, document.id)):
        raise Refused("INVALID_TRANSITION", "customs still holds a part of this title in reserve")
    cleared = document.follow(kind, move, now)
    item = Item("state", now, actor=act.caller.subject, agency=act.caller.agency).moving(move)
    await documents.save(tx, cleared, [replace(item, detail={"remarks": remarks} if remarks else None)])
    await expiries.close(tx, document.id, now)
    await outbox.append_many(tx, [facts.document_decided(document, move, now)])
    return cleared
