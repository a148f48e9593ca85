"""Who read and who wrote what: writes are told of in their own commit, reads soon after, and no reader waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial

from kit import clock, ids, pages, telemetry
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound, Unavailable

from intake.actions import metrics, reading
from intake.actions.reading import Seen
from intake.domain.accesses import Access
from intake.store import accesses

WAITING_MAX = 20_000
BATCH_MAX = 500
WRITE_EVERY_S = 0.25
# The same person reading the same document in the same way within this time is one line.
REPEAT_S = 60.0
REMEMBERED_MAX = 50_000
SEE_ACCESSES_ROLE = "operator_admin"


async def wrote(tx: Tx, caller: Principal, action: str, document_id: str) -> None:
    """In the commit that changes the document."""
    await accesses.add(tx, [_access(caller, action, document_id)])


async def noted(tx: Tx, by: tuple[str, str, str], action: str, document_id: str) -> None:
    """In the name of a subject, an organisation and an agency that told of it earlier."""
    await accesses.add(tx, [Access(ids.new_id(), document_id, *by, action, clock.now())])


class AccessLog:
    """Reads wait here for a moment and are written together: what a killed process held of them is lost."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[Access] = []
        self._written_lately: dict[tuple[str, str, str], float] = {}
        self._dropped = 0
        self._writing = asyncio.Lock()

    def seen(self, caller: Principal, action: str) -> Seen:
        return partial(self.note, caller, action)

    def note(self, caller: Principal, action: str, document_id: str) -> None:
        if len(self._waiting) >= WAITING_MAX:
            self._dropped += 1
            metrics.ACCESSES_DROPPED_TOTAL.inc()
        elif not self._is_repeated((caller.subject, action, document_id)):
            self._waiting.append(_access(caller, action, document_id))

    def _is_repeated(self, reading: tuple[str, str, str]) -> bool:
        now = time.monotonic()
        if now - self._written_lately.get(reading, float("-inf")) < REPEAT_S:
            return True
        if len(self._written_lately) >= REMEMBERED_MAX:
            self._written_lately.clear()
        self._written_lately[reading] = now
        return False

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WRITE_EVERY_S)
            try:
                await self.write()
            except Unavailable as error:
                telemetry.log().warning("accesses_wait", waiting=len(self._waiting), reason=str(error))

    async def close(self) -> None:
        """After the last answer."""
        with contextlib.suppress(Unavailable):
            await self.write()

    async def write(self) -> None:
        """All that waits. Raises Unavailable, and then it waits on."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:BATCH_MAX]
                async with self._db.connection() as connection:
                    await accesses.add(connection, batch)
                del self._waiting[: len(batch)]
        if self._dropped:
            telemetry.log().error("accesses_dropped", count=self._dropped)
            self._dropped = 0


def _access(caller: Principal, action: str, document_id: str) -> Access:
    return Access(ids.new_id(), document_id, caller.subject, caller.organisation_id, caller.agency, action, clock.now())


async def page(
    db: Database, log: AccessLog, caller: Principal, asked: str, cursor: str, limit: int
) -> tuple[Sequence[bytes], str]:
    """For the organisation whose document it is, and the operator; NOT_FOUND for everybody else."""
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    if document.owner_organisation_id != caller.organisation_id and SEE_ACCESSES_ROLE not in caller.roles:
        raise NotFound("NOT_FOUND")
    filters = {"list": "accesses", "document": document.id}
    before, most = reading.position(pages.decode(cursor, filters)), pages.limit(limit)
    log.note(caller, "list_accesses", document.id)
    await log.write()
    async with db.connection() as connection:
        found = await accesses.newest_first(connection, document.id, before, most + 1)
    following = pages.encode(filters, [found[most - 1][0]]) if len(found) > most else ""
    return [entry for _, entry in found[:most]], following
