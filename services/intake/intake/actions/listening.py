"""Hear many happenings at once: what they do to documents is thought through in memory, under locks, and written once.

What is more than a line or a move (a verdict, a reduced quantity) is heard by itself, in its turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit import outbox, trace
from kit.database import Tx
from kit.errors import Refused
from kit.outbox import OutboxEntry
from packs.amendments import VERDICTS

from intake.actions import facts
from intake.actions.hearing import Happening, access_of, note_of, told
from intake.actions.reading import is_id
from intake.domain.accesses import Access
from intake.domain.documents import Document, Item, transition
from intake.domain.rulebook import Rulebooks
from intake.store import accesses, documents, durations, timelines
from intake.store.documents import Change
from intake.store.timelines import Task


@dataclass(frozen=True, slots=True)
class Heard:
    happening: Happening
    traceparent: str

    @property
    def document_id(self) -> str:
        return self.happening.document_id.lower()

    @property
    def is_plain(self) -> bool:
        return self.happening.authorised is None and self.happening.document_event not in VERDICTS


async def hear_all(tx: Tx, rulebooks: Rulebooks, heard: Sequence[Heard]) -> None:
    """In their order. Silent about documents that are not ours: charges may concern something else."""
    ours = [one for one in heard if is_id(one.document_id)]
    locked = await documents.lock_all(tx, sorted({one.document_id for one in ours}))
    listener = _Listener(tx, rulebooks, locked)
    for one in ours:
        await listener.take(one)
    await listener.write()


class _Listener:
    """What was heard and is not written yet; `_documents` are as they will stand."""

    def __init__(self, tx: Tx, rulebooks: Rulebooks, locked: dict[str, Document]) -> None:
        self._tx = tx
        self._rulebooks = rulebooks
        self._documents = locked
        self._begin()

    def _begin(self) -> None:
        self._changes: dict[str, Change] = {}
        self._said: list[OutboxEntry] = []
        self._opened: list[Task] = []
        self._resumed: list[Task] = []
        self._decided: list[tuple[str, datetime]] = []
        self._closed: list[str] = []
        self._accesses: list[Access] = []

    async def take(self, one: Heard) -> None:
        document = self._documents.get(one.document_id)
        if document is None:
            return
        if one.is_plain:
            self._take_plain(document, one)
        else:
            await self._take_alone(one)
        await self._tasks(one.happening)
        self._accesses += access_of(one.happening)

    def _take_plain(self, document: Document, one: Heard) -> None:
        happening = one.happening
        if not happening.document_event:
            self._change(document, [happening.item], is_looked_at=False)
            return
        kind = self._rulebooks.kind(document)
        try:
            move = transition(document, kind, happening.document_event)
        except Refused as refusal:
            self._change(document, [happening.item, note_of(document, happening, refusal)], is_looked_at=True)
            return
        moved = document.follow(kind, move, happening.item.at)
        self._change(moved, [happening.item, happening.item.moving(move)], is_looked_at=True)
        said = facts.document_decided(document, move, happening.item.at, happening.item.reason_code)
        self._said.append(replace(said, traceparent=one.traceparent))

    def _change(self, document: Document, items: Sequence[Item], *, is_looked_at: bool) -> None:
        """`document` as it stands after what `items` tell."""
        before = self._changes.get(document.id) or Change(document, (), False)
        change = Change(document, (*before.items, *items), before.is_looked_at or is_looked_at)
        self._changes[document.id], self._documents[document.id] = change, document

    async def _take_alone(self, one: Heard) -> None:
        await self.write()
        trace.begin(one.traceparent)
        await told(self._tx, self._rulebooks, one.happening)
        self._documents = await documents.lock_all(self._tx, sorted(self._documents))

    async def _tasks(self, happening: Happening) -> None:
        """A task that comes after its document's case was closed belongs to the case opened anew."""
        if happening.document_id in self._closed:
            await self.write()
        self._opened += [happening.opened] if happening.opened is not None else []
        self._resumed += [happening.resumed] if happening.resumed is not None else []
        self._decided += [(happening.closed_task_id, happening.item.at)] if happening.closed_task_id else []
        self._closed += [happening.document_id] if happening.closes_case else []

    async def write(self) -> None:
        await documents.save_all(self._tx, list(self._changes.values()))
        written = {change.document.id: change.after for change in self._changes.values()}
        self._documents |= written
        await outbox.append_many(self._tx, self._said)
        await timelines.open_tasks(self._tx, self._opened)
        for task in self._resumed:
            await timelines.resume_task(self._tx, task)
        await durations.close_tasks(self._tx, self._decided)
        for document_id in self._closed:
            await timelines.close_tasks(self._tx, document_id)
        await accesses.add(self._tx, self._accesses)
        self._begin()
