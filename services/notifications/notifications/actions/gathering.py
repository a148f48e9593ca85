"""Digests: what a person's letters since the last one come to, as one letter, once."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from datetime import datetime

import psycopg
from kit import clock, ids, telemetry
from kit.database import Database, Tx
from kit.errors import Unavailable
from packs.model import Pack

from notifications.actions.packs import RuleDesk
from notifications.domain import wording
from notifications.domain.deliveries import DIGEST, DIGEST_LETTERS_MAX, EMAIL, PENDING, Delivery
from notifications.store import deliveries as store

POLL_S = 5.0
# A digest's event is made of its first letter: the same letters gathered again are the same digest.
DIGESTS = uuid.UUID("2f0c7f4e-6a0f-4c5e-9f5b-6f1f3f0f8a11")


class Gatherer:
    def __init__(self, db: Database, rules: RuleDesk) -> None:
        self._db = db
        self._rules = rules

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                gathered = await self.gather_due()
            except (Unavailable, psycopg.OperationalError) as error:
                telemetry.log().warning("gatherer_waits", reason=str(error))
                gathered = False
            if not gathered:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), POLL_S)

    async def gather_due(self) -> bool:
        """One person's digest. False when none was due."""
        book = await self._rules.refresh(self._db)
        async with self._db.transaction() as tx:
            letters = await store.due_together(tx, clock.now(), DIGEST_LETTERS_MAX)
            if letters:
                await _gather(tx, book.pack(None, clock.now().date()), letters)
        return bool(letters)


async def _gather(tx: Tx, pack: Pack, letters: Sequence[Delivery]) -> None:
    """A pack that has no digests any more sends each letter by itself."""
    if pack.digest is None:
        await store.send_each(tx, [letter.id for letter in letters])
        return
    digest = _digest(pack, letters, clock.now())
    await store.insert(tx, [digest])
    await store.put_into(tx, digest.id, [letter.id for letter in letters])


def _digest(pack: Pack, letters: Sequence[Delivery], now: datetime) -> Delivery:
    """To the address, and in the language, of the latest letter."""
    latest = letters[-1]
    language = wording.language_for(pack, latest.language)
    title, body = wording.digest(pack, language, [letter.title for letter in letters])
    return Delivery(
        id=ids.new_id(),
        event_id=str(uuid.uuid5(DIGESTS, letters[0].id)),
        rule=DIGEST,
        recipient_id=latest.recipient_id,
        organisation_id=latest.organisation_id,
        channel=EMAIL,
        language=language,
        address=latest.address,
        title=title,
        body=body,
        document_id="",
        reference="",
        state=PENDING,
        attempts=0,
        created_at=now,
        due_at=now,
    )
