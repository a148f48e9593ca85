"""What becomes of a document's new version: it waits, takes effect with its title's ledger, or is let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from kit import clock, outbox
from kit.database import Tx
from kit.errors import Invalid, Refused
from packs.amendments import AMEND, AMEND_ACCEPT, AMEND_REJECT
from packs.model import DocumentType, Transition

from intake.actions import facts
from intake.domain import amendments, titles
from intake.domain.amendments import Amendment, AmendmentState, Body
from intake.domain.documents import Document, Item, ledger_moves, transition
from intake.domain.titles import Entry, TitleLine
from intake.store import amendments as store
from intake.store import documents, ledgers

VERDICTS = frozenset({AMEND_ACCEPT, AMEND_REJECT})
# Stored bodies were judged before: nobody reads these words.
LANGUAGE = "en"

Changed = Sequence[tuple[TitleLine, list[Entry]]]


async def changed_lines(
    tx: Tx, kind: DocumentType, document_id: str, bodies: tuple[Body, Body], language: str
) -> Changed:
    """The title's lines as the second body wants them. Raises Invalid, Refused."""
    before, after = bodies
    lines = await ledgers.lines(tx, document_id)
    asked, _ = titles.title_lines(kind, after, language)
    if lines and titles.is_full(lines):
        raise Refused("INVALID_TRANSITION", "customs has imputed the whole of this title")
    return amendments.amended_lines(lines, before, asked, after, language)


async def refuse_below_imputed(tx: Tx, document_id: str, asked: Mapping[str, Any]) -> None:
    amendments.refuse_below_imputed(asked, await store.imputed_value(tx, document_id))


async def propose(
    tx: Tx, kind: DocumentType, document: Document, amendment: Amendment, steps: Sequence[str]
) -> Document:
    """The document waits with it; its current version stands."""
    now = amendment.proposed_at
    move = transition(document, kind, AMEND)
    moved = document.follow(kind, move, now)
    item = Item("amendment_proposed", now, actor=amendment.proposed_by, detail=_told(amendment))
    await documents.save(tx, moved, [item, item.moving(move)])
    said = [facts.document_decided(document, move, now), facts.amendment_proposed(document, amendment, steps)]
    await outbox.append_many(tx, said)
    return moved


async def put_in_effect(
    tx: Tx, kind: DocumentType, document: Document, amendment: Amendment, changed: Changed, actor: str
) -> Document:
    """Without asking anybody: no approval is touched."""
    items = [Item("amended", amendment.proposed_at, actor=actor, detail=_told(amendment))]
    return await _in_effect(tx, kind, document, amendment, changed, items, [])


async def settle(tx: Tx, kind: DocumentType, document: Document, event: str, item: Item) -> None:
    """What the agencies said of the version that waits. Raises Refused when none does, or the document is not there."""
    waiting = await store.proposed(tx, document.id)
    if waiting is None:
        raise Refused("INVALID_TRANSITION", "no amendment waits")
    move = _back(kind, document, event, waiting)
    if event == AMEND_REJECT:
        await _let_go(tx, kind, document, move, item)
        return
    changed = await _changes_of(tx, kind, document, waiting)
    await store.settle(tx, document.id, AmendmentState.ACCEPTED, item.at)
    told = Item("amended", item.at, actor=item.actor, agency=item.agency, detail=_told(waiting))
    await _in_effect(tx, kind, document, waiting, changed, [item, told], [move])


async def drop(tx: Tx, document_id: str) -> None:
    """The document is at its end: what waited with it waits no more."""
    await store.settle(tx, document_id, AmendmentState.DROPPED, clock.now())


def _back(kind: DocumentType, document: Document, event: str, waiting: Amendment) -> Transition:
    move = kind.transition(document.state, event, waiting.from_state)
    if move is None:
        told = {"state": document.state, "event": event}
        raise Refused("INVALID_TRANSITION", "not possible in the state the document is in", facts=told)
    return move


async def _changes_of(tx: Tx, kind: DocumentType, document: Document, waiting: Amendment) -> Changed:
    bodies = [
        msgspec.json.decode((await documents.content(tx, document.id, version))[0])
        for version in (document.version, waiting.version)
    ]
    await refuse_below_imputed(tx, document.id, waiting.facts)
    try:
        return await changed_lines(tx, kind, document.id, (bodies[0], bodies[1]), LANGUAGE)
    except Invalid as error:
        raise Refused("INVALID_TRANSITION", "the amendment no longer fits the title") from error


async def _let_go(tx: Tx, kind: DocumentType, document: Document, move: Transition, item: Item) -> None:
    await store.settle(tx, document.id, AmendmentState.REJECTED, item.at)
    lines = await ledgers.lines(tx, document.id)
    moved, moves = _followed(kind, document, [move], lines, item.at)
    await documents.save(tx, moved, [item, *(item.moving(one) for one in moves)])
    await outbox.append_many(tx, _decided(kind, document, moves, item.at, item.reason_code))


async def _in_effect(
    tx: Tx,
    kind: DocumentType,
    document: Document,
    amendment: Amendment,
    changed: Changed,
    items: Sequence[Item],
    moves: Sequence[Transition],
) -> Document:
    told = items[-1]
    for line, entries in changed:
        await ledgers.save_line(tx, document.id, line)
        await ledgers.book(tx, document.id, entries, None, told.actor, told.at)
    moved, moves = _followed(kind, document, moves, await ledgers.lines(tx, document.id), told.at)
    moved = replace(moved, version=amendment.version, revision=moved.revision + 1, updated_at=told.at)
    plain = replace(told, detail=None)
    await documents.save(tx, moved, [*items, *(plain.moving(move) for move in moves)])
    amended = facts.document_amended(moved, amendment, told.at)
    await outbox.append_many(tx, [*_decided(kind, document, moves, told.at), amended])
    return moved


def _followed(
    kind: DocumentType, document: Document, moves: Sequence[Transition], lines: Sequence[TitleLine], at: datetime
) -> tuple[Document, list[Transition]]:
    """Back where it was, and on from there where the ledger has moved meanwhile."""
    moved = document
    for move in moves:
        moved = moved.follow(kind, move, at)
    after = ledger_moves(moved, kind, lines)
    for move in after:
        moved = moved.follow(kind, move, at)
    return moved, [*moves, *after]


def _decided(
    kind: DocumentType, document: Document, moves: Sequence[Transition], at: datetime, reason_code: str = ""
) -> list[outbox.OutboxEntry]:
    entries = []
    for move in moves:
        entries.append(facts.document_decided(document, move, at, reason_code))
        document = document.follow(kind, move, at)
    return entries


def _told(amendment: Amendment) -> Mapping[str, Any]:
    changes = msgspec.to_builtins(list(amendment.changes))
    return {"version": amendment.version, "remarks": amendment.remarks, "changes": changes}
