"""From an event to its deliveries: what must be asked is asked first, what is written is written with the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from kit import clock
from kit.database import Database, Tx

from notifications.actions.packs import RuleDesk
from notifications.actions.preferences import Wishes
from notifications.actions.publishing import Publisher
from notifications.domain import publishing
from notifications.domain.facts import Document, Said
from notifications.store import deliveries as delivery_store
from notifications.store import documents as document_store
from notifications.store.directory import Directory


class Teller:
    def __init__(self, db: Database, desk: RuleDesk, directory: Directory) -> None:
        self._db = db
        self._desk = desk
        self._directory = directory
        self._publisher = Publisher()
        self._wishes = Wishes()
        self._documents: Mapping[str, Document] = {}

    async def prepare(self, heard: Sequence[Said]) -> None:
        """Learns everybody whom these events, and those that waited for them, concern."""
        book, today = await self._desk.refresh(self._db), clock.now().date()
        submitted = {said.document_id: said.submitted_document() for said in heard if said.is_submission}
        concerned = [said for said in heard if self._concerns(said.type)]
        async with self._db.connection() as connection:
            named = [said.document_id for said in concerned if said.document_id not in submitted]
            documents = self._documents = {**await document_store.known(connection, named), **submitted}
            waited = await document_store.waiting(connection, list(submitted))
            told = [said for said in (*concerned, *waited) if not said.document_id or said.document_id in documents]
            await self._publisher.learn(connection, told, documents)
        wanted = (book.targets(said, documents.get(said.document_id), today) for said in told)
        targets = set(chain.from_iterable(wanted))
        await self._directory.learn(targets)
        people = {one.id for target in targets for one in self._directory.of(target) if one.address}
        async with self._db.connection() as connection:
            await self._wishes.learn(connection, people)

    async def tell(self, tx: Tx, said: Said) -> None:
        if said.is_submission:
            await self._tell_with_those_waiting(tx, said)
        elif self._concerns(said.type):
            await self._tell_or_wait(tx, said)

    def _concerns(self, event_type: str) -> bool:
        return self._desk.book.concerns(event_type) or event_type in publishing.PUBLISHED

    async def _tell_with_those_waiting(self, tx: Tx, said: Said) -> None:
        document = said.submitted_document()
        await document_store.save(tx, document)
        waited = await document_store.waiting(tx, [document.id])
        for one in (said, *waited):
            await self._write(tx, one, document)
        if waited:
            await document_store.forget_waiting(tx, document.id)

    async def _tell_or_wait(self, tx: Tx, said: Said) -> None:
        """Topics have no order among each other: an event may come before the submission that says whose it is."""
        if not said.document_id:
            await self._write(tx, said, None)
            return
        document = self._documents.get(said.document_id) or await document_store.expect(tx, said.document_id)
        if document is None:
            await document_store.keep_waiting(tx, said)
            return
        await self._write(tx, said, document)

    async def _write(self, tx: Tx, said: Said, document: Document | None) -> None:
        made = self._desk.book.deliveries(said, document, self._directory.of, self._wishes.of, clock.now())
        if made:
            await delivery_store.insert(tx, made)
        await self._publisher.publish(tx, said, document)
