"""From an event to its webhooks: a row for each endpoint that asked, numbered in the transaction of the inbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from kit import clock, ids
from kit.database import Tx

from notifications.domain import publishing
from notifications.domain.facts import Document, Said
from notifications.domain.posts import HELD, PENDING, Post
from notifications.store import endpoints as endpoint_store
from notifications.store import posts as store


class Publisher:
    """`learn` finds, once a batch, which organisations listen; most do not, and cost nothing more."""

    def __init__(self) -> None:
        self._asked: frozenset[str] = frozenset()
        self._listening: frozenset[str] = frozenset()

    async def learn(self, tx: Tx, told: Iterable[Said], documents: Mapping[str, Document]) -> None:
        concerned = (publishing.audience(said, documents.get(said.document_id)) for said in told)
        self._asked = frozenset(chain.from_iterable(concerned))
        self._listening = await endpoint_store.listening(tx, self._asked)

    async def publish(self, tx: Tx, said: Said, document: Document | None) -> None:
        audience = publishing.audience(said, document)
        reached = audience - (self._asked - self._listening)
        if reached:
            await _write(tx, said, document, reached)


async def _write(tx: Tx, said: Said, document: Document | None, reached: frozenset[str]) -> None:
    published, now = publishing.PUBLISHED[said.type], clock.now()
    numbered = await store.number(tx, reached, published.name, said.event_id)
    content = publishing.data(said, document)
    posts = [
        Post(
            id=ids.new_id(),
            endpoint_id=endpoint_id,
            event_id=said.event_id,
            sequence=sequence,
            type=published.name,
            document_id=said.document_id,
            body=publishing.body(published.name, said.fields[published.at] or "", sequence, content),
            state=PENDING if is_enabled else HELD,
            attempts=0,
            due_at=now,
            created_at=now,
        )
        for endpoint_id, sequence, is_enabled in numbered
    ]
    if posts:
        await store.insert(tx, posts)
