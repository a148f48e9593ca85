"""Withdraw: the declarant takes a document back while its type still allows it."""

from dataclasses import replace

from kit import clock, outbox
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Malformed, Refused
from packs.model import Transition

from intake.actions import accessing, acts, facts, reading, settling
from intake.actions.directory import WITHDRAW as POWER
from intake.actions.directory import Directory
from intake.actions.reading import Shown
from intake.domain.documents import WITHDRAW, Document, Item, transition
from intake.domain.rulebook import Rulebooks
from intake.domain.values import is_plain_text
from intake.store import documents, ledgers, timelines


async def withdraw(
    db: Database,
    rulebooks: Rulebooks,
    directory: Directory,
    caller: Principal,
    asked: str,
    if_match: str,
    reason: str,
) -> Shown:
    if not is_plain_text(reason):
        raise Malformed("MALFORMED", "the reason is not plain text, or too long")
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    await acts.mandate(directory, document, caller, POWER)
    async with db.transaction() as tx:
        document = await acts.locked(tx, document.id)
        document.require_match(if_match)
        await refuse_held(tx, document)
        move = transition(document, rulebooks.kind(document), WITHDRAW)
        await _take_back(tx, rulebooks, document, move, caller, reason)
    return await reading.document(db, rulebooks, caller, document.id)


async def refuse_held(tx: Tx, document: Document) -> None:
    if any(line.reserved or line.consumed for line in await ledgers.lines(tx, document.id)):
        raise Refused("INVALID_TRANSITION", "customs holds a part of this title")
    await settling.refuse_paid(tx, document.id)


async def _take_back(
    tx: Tx, rulebooks: Rulebooks, document: Document, move: Transition, caller: Principal, reason: str
) -> None:
    now = clock.now()
    item = Item("state", now, actor=caller.subject).moving(move)
    item = replace(item, detail={"reason": reason} if reason else None)
    await documents.save(tx, document.follow(rulebooks.kind(document), move, now), [item])
    await timelines.close_tasks(tx, document.id)
    await accessing.wrote(tx, caller, "withdraw_document", document.id)
    await outbox.append_many(tx, [facts.document_withdrawn(document, move, now, reason)])
