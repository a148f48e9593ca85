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
from kit.errors import Malformed, NotFound, Unavailable

from intake.actions import metrics, reading
from intake.actions.reading import Seen
from intake.domain.accesses import Access, leaf_hash
from intake.store import accesses

WAITING_MAX = 20_000
BATCH_MAX = 500
WRITE_EVERY_S = 0.25
# The same person reading the same document in the same way within this time is one line.
REPEAT_S = 60.0
REMEMBERED_MAX = 50_000
NUMBER_EVERY_S = 1.0
NUMBERED_AT_ONCE_MAX = 1_000
READINGS_MAX = 200
READ_ELSEWHERE = frozenset({"get_task", "list_tasks"})
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


async def number(db: Database) -> int:
    """Gives the lines that have none their place and their hash; how many. One process at a time, without a gap."""
    async with db.transaction() as tx:
        size = await accesses.lock_size(tx)
        waiting = await accesses.unnumbered(tx, NUMBERED_AT_ONCE_MAX)
        if waiting:
            await accesses.number(tx, size, [(access_id, leaf_hash(entry)) for access_id, entry in waiting])
    return len(waiting)


async def keep_numbering(db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            more = await number(db) == NUMBERED_AT_ONCE_MAX
        except Unavailable as error:
            telemetry.log().warning("accesses_unnumbered", reason=str(error))
            more = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0 if more else NUMBER_EVERY_S)


async def note_readings(
    db: Database, log: AccessLog, caller: Principal, action: str, document_ids: Sequence[str]
) -> None:
    """What was shown of documents by another service. Raises Malformed."""
    if action not in READ_ELSEWHERE:
        raise Malformed("MALFORMED", "there is no such reading")
    asked = [one.lower() for one in document_ids[:READINGS_MAX] if reading.is_id(one)]
    async with db.connection() as connection:
        found = await accesses.known(connection, asked)
    for one in found:
        log.note(caller, action, one)


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
