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
from packs.amendments import AMENDING, CHANGING_BANK, Way, way_of
from packs.model import Amendment as Terms
from packs.model import DocumentType, Transition

from intake.actions import facts, settling
from intake.domain import amendments, titles
from intake.domain.amendments import Amendment, AmendmentState, Body
from intake.domain.documents import Document, Item, ledger_moves, transition
from intake.domain.titles import Entry, TitleLine
from intake.store import amendments as store
from intake.store import documents, ledgers, settlements, timelines

# Stored bodies were judged before: nobody reads these words.
LANGUAGE = "en"

Changed = Sequence[tuple[TitleLine, list[Entry]]]


async def admitted(tx: Tx, kind: DocumentType, document: Document, way: Way) -> tuple[Terms, str]:
    """What a version may change now, and the step at which the case begins again with it, if any. Raises Refused."""
    if way is AMENDING and kind.amendment is not None and document.state in kind.amendment.states:
        return kind.amendment, ""
    change = kind.bank_change if way is CHANGING_BANK else None
    if change is not None and document.state in change.states:
        return change, ""
    if change is not None and document.state in change.resumes and await _was_turned_away(tx, kind, document):
        return change, change.resumes[document.state]
    raise Refused("INVALID_TRANSITION", "not to be amended in this state", facts={"state": document.state})


async def _was_turned_away(tx: Tx, kind: DocumentType, document: Document) -> bool:
    """Somebody's last word closed its case, and no version has come since."""
    last = await timelines.last_of(tx, document.id, ("state", "amended"))
    closing = {outcome.event for step in kind.steps for outcome in step.outcomes.values() if outcome.then == "close"}
    return last is not None and last.kind == "state" and last.event in closing


async def changed_lines(
    tx: Tx,
    kind: DocumentType,
    document_id: str,
    way: Way,
    bodies: tuple[Body, Body],
    asked: Mapping[str, Any],
    language: str,
) -> Changed:
    """The title's lines as the second body wants them; a change of bank touches no ledger. Raises Invalid, Refused."""
    if way is not AMENDING:
        return []
    before, after = bodies
    lines = await ledgers.lines(tx, document_id)
    wanted, _ = titles.title_lines(kind, after, language)
    if lines and titles.is_full(lines):
        raise Refused("INVALID_TRANSITION", "customs has imputed the whole of this title")
    changed = amendments.amended_lines(lines, before, wanted, after, language)
    amendments.refuse_below_imputed(asked, await store.imputed_value(tx, document_id))
    await settling.amended(tx, document_id, kind.settlement, asked)
    return changed


async def propose(
    tx: Tx, kind: DocumentType, document: Document, way: Way, amendment: Amendment, steps: Sequence[str]
) -> Document:
    """The document waits with it; its current version stands."""
    now = amendment.proposed_at
    move = transition(document, kind, way.asks)
    moved = document.follow(kind, move, now)
    item = Item("amendment_proposed", now, actor=amendment.proposed_by, detail=_told(amendment))
    await documents.save(tx, moved, [item, item.moving(move)])
    said = [facts.document_decided(document, move, now), facts.amendment_proposed(document, amendment, steps)]
    await outbox.append_many(tx, said)
    return moved


async def put_in_effect(
    tx: Tx,
    kind: DocumentType,
    document: Document,
    way: Way,
    amendment: Amendment,
    changed: Changed,
    actor: str,
    resumes_at: str = "",
) -> Document:
    """Without asking anybody: no approval is touched, or the case begins again and asks by itself."""
    items = [Item("amended", amendment.proposed_at, actor=actor, detail=_told(amendment))]
    return await _in_effect(tx, kind, document, way, amendment, changed, items, [], resumes_at)


async def settle(tx: Tx, kind: DocumentType, document: Document, event: str, item: Item) -> None:
    """What the agencies said of the version that waits; one that no longer fits the title is let go.

    Raises Refused when none waits, or the document is not there.
    """
    waiting = await store.proposed(tx, document.id)
    if waiting is None:
        raise Refused("INVALID_TRANSITION", "no amendment waits")
    move = _back(kind, document, event, waiting)
    way = way_of(event)
    if event == way.rejects:
        await _let_go(tx, kind, document, move, [item])
        return
    try:
        changed = await _changes_of(tx, kind, document, way, waiting)
    except Refused as refusal:
        note = replace(item, kind="note", reason_code="", detail={"event": event, "reason": refusal.detail})
        await _let_go(tx, kind, document, _back(kind, document, way.rejects, waiting), [item, note])
        return
    await store.settle(tx, document.id, AmendmentState.ACCEPTED, item.at)
    told = Item("amended", item.at, actor=item.actor, agency=item.agency, detail=_told(waiting))
    await _in_effect(tx, kind, document, way, waiting, changed, [item, told], [move])


async def drop(tx: Tx, document_id: str) -> None:
    """The document is at its end: what waited with it waits no more."""
    await store.settle(tx, document_id, AmendmentState.DROPPED, clock.now())


def _back(kind: DocumentType, document: Document, event: str, waiting: Amendment) -> Transition:
    move = kind.transition(document.state, event, waiting.from_state)
    if move is None:
        told = {"state": document.state, "event": event}
        raise Refused("INVALID_TRANSITION", "not possible in the state the document is in", facts=told)
    return move


async def _changes_of(tx: Tx, kind: DocumentType, document: Document, way: Way, waiting: Amendment) -> Changed:
    bodies = [
        msgspec.json.decode((await documents.content(tx, document.id, version))[0])
        for version in (document.version, waiting.version)
    ]
    try:
        return await changed_lines(tx, kind, document.id, way, (bodies[0], bodies[1]), waiting.facts, LANGUAGE)
    except Invalid as error:
        raise Refused("INVALID_TRANSITION", "the amendment no longer fits the title") from error


async def _let_go(tx: Tx, kind: DocumentType, document: Document, move: Transition, items: Sequence[Item]) -> None:
    item = items[0]
    await store.settle(tx, document.id, AmendmentState.REJECTED, item.at)
    lines = await ledgers.lines(tx, document.id)
    moved, moves = _followed(kind, document, [move], lines, item.at)
    await documents.save(tx, moved, [*items, *(item.moving(one) for one in moves)])
    await outbox.append_many(tx, _decided(kind, document, moves, item.at, item.reason_code))


async def _in_effect(
    tx: Tx,
    kind: DocumentType,
    document: Document,
    way: Way,
    amendment: Amendment,
    changed: Changed,
    items: Sequence[Item],
    moves: Sequence[Transition],
    resumes_at: str = "",
) -> Document:
    told = items[-1]
    terms = kind.settlement if way is AMENDING else None
    settlement = await settling.amended(tx, document.id, terms, amendment.facts)
    if settlement is not None:
        await settlements.save(tx, document.id, settlement)
    for line, entries in changed:
        await ledgers.save_line(tx, document.id, line)
        await ledgers.book(tx, document.id, entries, None, told.actor, told.at)
    moved, moves = _followed(kind, document, moves, await ledgers.lines(tx, document.id), told.at)
    moved = replace(moved, version=amendment.version, revision=moved.revision + 1, updated_at=told.at)
    plain = replace(told, detail=None)
    await documents.save(tx, moved, [*items, *(plain.moving(move) for move in moves)])
    amended = facts.document_amended(moved, amendment, told.at, resumes_at)
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
