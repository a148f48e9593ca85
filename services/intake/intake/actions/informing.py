"""Information an agency asks for: the document waits for the operator and goes back to where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit import clock, ids, outbox
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Refused
from kit.outbox import OutboxEntry
from packs.model import Transition

from intake.actions import accessing, acts, facts, reading
from intake.actions.directory import Directory
from intake.actions.reading import Shown, is_id
from intake.domain import information
from intake.domain.accesses import Access
from intake.domain.documents import Document, Item, transition
from intake.domain.information import LAPSED, PROVIDED, Answer, Request
from intake.domain.rulebook import Rulebooks
from intake.store import accesses, documents, timelines
from intake.store import information as store


@dataclass(frozen=True, slots=True)
class Asked:
    """Routing tells that an agency has asked."""

    request: Request
    item: Item
    document_event: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Routing tells that nobody has answered in time."""

    document_id: str
    request_id: str
    item: Item
    document_event: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the operator sends."""

    request_id: str
    answers: Sequence[Answer]
    if_match: str = ""


async def asked(tx: Tx, rulebooks: Rulebooks, happening: Asked) -> None:
    """Only the first of several agencies moves the document. Too late for one that is over, it is noted."""
    request = happening.request
    document = await documents.lock(tx, request.document_id) if is_id(request.document_id) else None
    if document is None:
        return
    waiting = [other for other in await store.of_document(tx, document.id) if other.is_open]
    try:
        moves = [] if waiting else [transition(document, rulebooks.kind(document), happening.document_event)]
    except Refused as refusal:
        await documents.save(tx, document, [_note(document, happening.item, happening.document_event, refusal)])
        return
    returns_to = waiting[0].returns_to if waiting else document.state
    await store.save(tx, replace(request, returns_to=returns_to))
    await timelines.suspend_task(tx, request.task_id)
    await _moved(tx, rulebooks, document, happening.item, moves)
    await accesses.add(tx, [_asking(document, happening.item)])


async def lapsed(tx: Tx, rulebooks: Rulebooks, happening: Lapsed) -> None:
    """Answers that came before the news of the lapse stand; the lapse is then only on the timeline."""
    document = await documents.lock(tx, happening.document_id) if is_id(happening.document_id) else None
    if document is None:
        return
    requests = await store.of_document(tx, document.id)
    request = next((one for one in requests if one.id == happening.request_id and one.is_open), None)
    if request is None:
        await documents.save(tx, document, [happening.item])
        return
    try:
        moves = _moves_back(rulebooks, document, request, requests, happening.document_event)
    except Refused as refusal:
        note = _note(document, happening.item, happening.document_event, refusal)
        await documents.save(tx, document, [happening.item, note])
        return
    await store.save(tx, replace(request, state=LAPSED))
    await _moved(tx, rulebooks, document, happening.item, moves)


async def provide(
    db: Database, rulebooks: Rulebooks, directory: Directory, caller: Principal, asked: str, reply: Reply
) -> Shown:
    """The same answers again change nothing and answer the same."""
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    await acts.require_right_to_answer(directory, document, caller)
    async with db.transaction() as tx:
        await _provide(tx, rulebooks, caller, document.id, reply)
    return await reading.document(db, rulebooks, caller, document.id)


async def _provide(tx: Tx, rulebooks: Rulebooks, caller: Principal, document_id: str, reply: Reply) -> None:
    document = await acts.locked(tx, document_id)
    requests = await store.of_document(tx, document.id)
    request = information.meant(requests, reply.request_id, caller.language)
    answers = information.in_order(request, reply.answers, caller.language)
    if request.state == PROVIDED and list(request.answers) == answers:
        return
    if reply.if_match:
        document.require_match(reply.if_match)
    if not request.is_open:
        raise Refused("INVALID_TRANSITION", f"the request is {request.state.lower()}", facts={"state": request.state})
    moves = _moves_back(rulebooks, document, request, requests, _answered_event(rulebooks, document, request))
    provided = replace(request, state=PROVIDED, answers=answers)
    await store.save(tx, provided)
    item = _provided_item(provided, caller)
    said = facts.information_provided(document, provided, caller.subject, item.at)
    await _moved(tx, rulebooks, document, item, moves, said)
    await accessing.wrote(tx, caller, "provide_information", document.id)


def _answered_event(rulebooks: Rulebooks, document: Document, request: Request) -> str:
    step = rulebooks.kind(document).step(request.step)
    return step.information.answered if step is not None and step.information is not None else ""


def _moves_back(
    rulebooks: Rulebooks, document: Document, request: Request, requests: Sequence[Request], event: str
) -> list[Transition]:
    """The last of several agencies that wait lets the document go. Raises Refused."""
    move = information.way_back(document, rulebooks.kind(document), request, event)
    return [] if any(other.is_open for other in requests if other.id != request.id) else [move]


async def _moved(
    tx: Tx,
    rulebooks: Rulebooks,
    document: Document,
    item: Item,
    moves: Sequence[Transition],
    *said: OutboxEntry,
) -> None:
    moved = document
    for move in moves:
        moved = moved.follow(rulebooks.kind(document), move, item.at)
    await documents.save(tx, moved, [item, *(replace(item.moving(move), due_at=None) for move in moves)])
    await outbox.append_many(tx, [*said, *(facts.document_decided(document, move, item.at) for move in moves)])


def _asking(document: Document, item: Item) -> Access:
    """The officer wrote the document through routing, which knows their organisation."""
    return Access(ids.new_id(), document.id, item.actor, "", item.agency, "request_information", item.at)


def _provided_item(request: Request, caller: Principal) -> Item:
    return Item(
        kind="information_provided",
        at=clock.now(),
        actor=caller.subject,
        agency=request.agency,
        step=request.step,
        detail=information.answered_detail(request),
    )


def _note(document: Document, item: Item, event: str, refusal: Refused) -> Item:
    detail = {"event": event, "state": document.state, "reason": refusal.detail}
    return replace(item, kind="note", due_at=None, detail=detail)
