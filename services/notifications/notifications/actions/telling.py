"""From an event to its deliveries: what must be asked is asked first, what is written is written with the inbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from kit import clock
from kit.database import Database, Tx

from notifications.actions.packs import RuleDesk
from notifications.actions.preferences import Wishes
from notifications.actions.publishing import Publisher
from notifications.domain import publishing
from notifications.domain.facts import DOCUMENT_SUBMITTED, Document, Said
from notifications.store import deliveries as delivery_store
from notifications.store import documents as document_store
from notifications.store.directory import Directory

# A submission says whose the document is, whether anybody is told of it or not.
ALWAYS_HEARD = frozenset({*publishing.PUBLISHED, DOCUMENT_SUBMITTED})


class Teller:
    def __init__(self, db: Database, desk: RuleDesk, directory: Directory) -> None:
        self._db = db
        self._desk = desk
        self._directory = directory
        self._publisher = Publisher()
        self._wishes = Wishes()
        self._documents: Mapping[str, Document] = {}

    async def refresh(self) -> None:
        await self._desk.refresh(self._db)

    def concerns(self, event_type: str) -> bool:
        """Whether anything follows from such an event. Raises Unavailable before any pack was loaded."""
        return self._desk.book.concerns(event_type) or event_type in ALWAYS_HEARD

    async def prepare(self, heard: Sequence[Said]) -> None:
        """Learns everybody whom these events, and those that waited for them, concern."""
        book, today = self._desk.book, clock.now().date()
        submitted = _submitted(heard)
        async with self._db.connection() as connection:
            named = [said.document_id for said in heard if said.document_id not in submitted]
            documents = self._documents = {**await document_store.known(connection, named), **submitted}
            waited = await document_store.waiting(connection, list(submitted))
            told = [said for said in (*heard, *waited) if not said.document_id or said.document_id in documents]
            await self._publisher.learn(connection, told, documents)
            wanted = (book.targets(said, documents.get(said.document_id), today) for said in told)
            targets = set(chain.from_iterable(wanted))
        await self._directory.learn(targets)
        people = {one.id for target in targets for one in self._directory.of(target) if one.address}
        async with self._db.connection() as connection:
            await self._wishes.learn(connection, people)

    async def tell(self, tx: Tx, heard: Sequence[Said]) -> None:
        """In the order in which it was said; a submission brings what waited for it along."""
        submitted = _submitted(heard)
        documents = {**self._documents, **submitted}
        await document_store.save(tx, list(submitted.values()))
        waited = _by_document(await document_store.waiting(tx, list(submitted)))
        early = [said for said in heard if said.document_id and said.document_id not in documents]
        documents |= await document_store.expect(tx, [said.document_id for said in early])
        await document_store.keep_waiting(tx, [said for said in early if said.document_id not in documents])
        await self._write(tx, list(_in_order(heard, waited, documents)), documents)
        await document_store.forget_waiting(tx, list(waited))

    async def _write(self, tx: Tx, told: Sequence[Said], documents: Mapping[str, Document]) -> None:
        now, book = clock.now(), self._desk.book
        made = [
            delivery
            for said in told
            for delivery in book.deliveries(
                said, documents.get(said.document_id), self._directory.of, self._wishes.of, now
            )
        ]
        await delivery_store.insert(tx, made)
        for said in told:
            await self._publisher.publish(tx, said, documents.get(said.document_id))


def _submitted(heard: Sequence[Said]) -> dict[str, Document]:
    return {said.document_id: said.submitted_document() for said in heard if said.is_submission}


def _in_order(
    heard: Sequence[Said], waited: Mapping[str, Sequence[Said]], documents: Mapping[str, Document]
) -> Iterator[Said]:
    for said in heard:
        if not said.document_id or said.document_id in documents:
            yield said
        if said.is_submission:
            yield from waited.get(said.document_id, ())


def _by_document(waited: Sequence[Said]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = defaultdict(list)
    for said in waited:
        found[said.document_id].append(said)
    return found
