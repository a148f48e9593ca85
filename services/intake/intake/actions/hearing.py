"""Hear: what routing and billing tell of a document becomes its timeline, its readers and its moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit import ids, outbox
from kit.database import Tx
from kit.errors import Refused
from packs.amendments import VERDICTS
from packs.model import Transition

from intake.actions import facts, locking, versions
from intake.actions.reading import is_id
from intake.domain.accesses import Access
from intake.domain.documents import SYSTEM, Document, Item, transition
from intake.domain.rulebook import Rulebooks
from intake.domain.titles import Entry, TitleLine
from intake.domain.values import Quantity
from intake.store import accesses, documents, durations, ledgers, relations, timelines
from intake.store.timelines import Task

OFFICERS_ACTIONS = {"task_signed": "sign_task", "task_decided": "decide_task"}


@dataclass(frozen=True, slots=True)
class Happening:
    """`item` tells of it; `document_event` is the move it puts the document through, empty for none."""

    document_id: str
    item: Item
    document_event: str = ""
    opened: Task | None = None
    resumed: Task | None = None
    closed_task_id: str = ""
    closes_case: bool = False
    authorised: Quantity | None = None


async def hear(tx: Tx, rulebooks: Rulebooks, happening: Happening) -> None:
    """Silent about documents that are not ours: charges may concern something else."""
    if is_id(happening.document_id) and await told(tx, rulebooks, happening):
        await _tasks(tx, happening)
        await accesses.add(tx, access_of(happening))


async def hear_result(tx: Tx, rulebooks: Rulebooks, happening: Happening) -> None:
    """What was found out about goods stands on the timelines of the documents they were declared under, too."""
    if not is_id(happening.document_id):
        return
    document = await locking.with_what_it_names(tx, happening.document_id)
    if document is None:
        return
    await hear(tx, rulebooks, happening)
    source = {"document_id": document.id, "reference": document.reference}
    item = replace(happening.item, detail={**(happening.item.detail or {}), **source})
    for target in sorted(await relations.targets_of(tx, document.id, document.version), key=lambda one: one.id):
        await documents.note(tx, target.id, [item])


async def told(tx: Tx, rulebooks: Rulebooks, happening: Happening) -> bool:
    """On the document's timeline, and in its state; False when there is no such document."""
    if not happening.document_event and happening.authorised is None:
        return await documents.note(tx, happening.document_id, [happening.item])
    document = await documents.lock(tx, happening.document_id)
    if document is None:
        return False
    await _move(tx, rulebooks, document, happening)
    return True


async def _move(tx: Tx, rulebooks: Rulebooks, document: Document, happening: Happening) -> None:
    """An event that has no transition (the document was withdrawn meanwhile) is noted, never an error."""
    if happening.document_event in VERDICTS:
        await _settle(tx, rulebooks, document, happening)
        return
    try:
        move = _transition(rulebooks, document, happening.document_event)
        if happening.authorised is not None:
            document.refuse_ended(rulebooks.kind(document))
        reduced = await _reduced(tx, document, happening)
    except Refused as refusal:
        await documents.save(tx, document, [happening.item, note_of(document, happening, refusal)])
        return
    await _book(tx, document, happening, reduced)
    moves = [move] if move is not None else []
    moved = document.follow(rulebooks.kind(document), move, happening.item.at) if move is not None else document
    await documents.save(tx, moved, [happening.item, *(happening.item.moving(move) for move in moves)])
    said = [facts.document_decided(document, move, happening.item.at, happening.item.reason_code) for move in moves]
    await outbox.append_many(tx, said)


async def _settle(tx: Tx, rulebooks: Rulebooks, document: Document, happening: Happening) -> None:
    try:
        await versions.settle(tx, rulebooks.kind(document), document, happening.document_event, happening.item)
    except Refused as refusal:
        await documents.save(tx, document, [happening.item, note_of(document, happening, refusal)])


def _transition(rulebooks: Rulebooks, document: Document, event: str) -> Transition | None:
    return transition(document, rulebooks.kind(document), event) if event else None


async def _reduced(tx: Tx, document: Document, happening: Happening) -> tuple[TitleLine, Sequence[Entry]] | None:
    """Raises Refused when the decision's quantity does not fit the title."""
    if happening.authorised is None:
        return None
    lines = await ledgers.lines(tx, document.id)
    if len(lines) != 1 or lines[0].unit != happening.authorised.unit:
        raise Refused("INVALID_TRANSITION", "a quantity is reduced on titles of one line, in its unit")
    return lines[0].reduce(happening.authorised.value)


async def _book(
    tx: Tx, document: Document, happening: Happening, reduced: tuple[TitleLine, Sequence[Entry]] | None
) -> None:
    if reduced is None or not reduced[1]:
        return
    line, entries = reduced
    await ledgers.save_line(tx, document.id, line)
    await ledgers.book(tx, document.id, entries, None, happening.item.actor, happening.item.at)


def note_of(document: Document, happening: Happening, refusal: Refused) -> Item:
    detail = {"event": happening.document_event or None, "state": document.state, "reason": refusal.detail}
    return replace(happening.item, kind="note", event="", reason_code="", due_at=None, detail=detail)


async def _tasks(tx: Tx, happening: Happening) -> None:
    await timelines.open_tasks(tx, [happening.opened] if happening.opened is not None else [])
    if happening.resumed is not None:
        await timelines.resume_task(tx, happening.resumed)
    if happening.closed_task_id:
        await durations.close_tasks(tx, [(happening.closed_task_id, happening.item.at)])
    if happening.closes_case:
        await timelines.close_tasks(tx, happening.document_id)


def access_of(happening: Happening) -> list[Access]:
    """An officer who signs or decides a task writes the document, through routing, which knows their organisation."""
    item = happening.item
    if item.kind not in OFFICERS_ACTIONS or item.actor == SYSTEM:
        return []
    action, agency = OFFICERS_ACTIONS[item.kind], item.agency
    return [Access(ids.new_id(), happening.document_id, item.actor, "", agency, action, item.at)]
