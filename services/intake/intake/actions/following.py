"""Following a timeline: who waits for news of a document is told; one small question at a time asks for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence

from kit import telemetry
from kit.auth import Principal
from kit.database import Database
from kit.errors import Malformed, Unavailable
from kit.shared import Listener, Shared

from intake.actions import reading
from intake.actions.reading import Seen, unseen
from intake.domain import representation
from intake.store import timelines

WAIT_S_MAX = 20.0
LOOK_EVERY_S = 0.25
# Hints that come together are one look.
HINTS_GATHER_S = 0.02
HINTS = "portolan.intake.document.v1"
WAITERS_MAX = 400
ITEMS_AT_ONCE_MAX = 200
SEQ_MAX = 2**31 - 1

_News = asyncio.Future[None]


class TimelineWatch:
    """While nobody waits, nothing is asked; while many wait, one statement for all of them, four times a second.

    A hint that there is news of a document somebody waits for is a reason to look at once.
    """

    def __init__(self, db: Database, shared: Shared | None = None) -> None:
        self._db = db
        self._listener = Listener(shared, HINTS, self._hear) if shared is not None else None
        self._hinted = asyncio.Event()
        self._waiting: defaultdict[str, dict[_News, int]] = defaultdict(dict)
        self._somebody_waits = asyncio.Event()
        self._is_leaving = False

    async def run(self, stop: asyncio.Event) -> None:
        """Once told to stop, nobody is made to wait any more."""
        tasks = [asyncio.create_task(self._look_again_and_again())]
        if self._listener is not None:
            tasks.append(asyncio.create_task(self._listener.run()))
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._is_leaving = True
            for news in [one for waiting in self._waiting.values() for one in waiting]:
                _tell(news)

    async def changed(self, document_id: str, seen: int, within_s: float) -> None:
        """Returns when the timeline has more than `seen` items, or when the time is over. Raises Unavailable."""
        if self._is_leaving or within_s <= 0:
            return
        if sum(map(len, self._waiting.values())) >= WAITERS_MAX:
            raise Unavailable("OVERLOADED", "too many follow timelines here")
        news: _News = asyncio.get_running_loop().create_future()
        self._waiting[document_id][news] = seen
        self._somebody_waits.set()
        try:
            await asyncio.wait([news], timeout=within_s)
        finally:
            self._forget(document_id, news)

    def _forget(self, document_id: str, news: _News) -> None:
        self._waiting[document_id].pop(news, None)
        if not self._waiting[document_id]:
            del self._waiting[document_id]

    def _hear(self, document_id: str) -> None:
        if document_id in self._waiting:
            self._hinted.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._hinted.wait()
                await asyncio.sleep(HINTS_GATHER_S)
        self._hinted.clear()

    async def _look_again_and_again(self) -> None:
        while True:
            if not self._waiting:
                self._somebody_waits.clear()
            await self._somebody_waits.wait()
            await self._pause()
            try:
                await self._look()
            except Unavailable as error:
                telemetry.log().warning("timelines_unknown", reason=str(error))

    async def _look(self) -> None:
        asked = list(self._waiting)
        if not asked:
            return
        async with self._db.connection() as connection:
            counts = await timelines.counts(connection, asked)
        for document_id, count in counts.items():
            for news, seen in list(self._waiting.get(document_id, {}).items()):
                if count > seen:
                    _tell(news)


def _tell(news: _News) -> None:
    if not news.done():
        news.set_result(None)


async def follow(
    db: Database,
    watch: TimelineWatch,
    caller: Principal,
    asked: str,
    after_seq: int,
    wait_s: float,
    seen: Seen = unseen,
) -> Sequence[tuple[int, bytes]]:
    """What follows `after_seq`, numbered; empty when nothing came in time. Raises NotFound, Malformed."""
    if not 0 <= after_seq <= SEQ_MAX:
        raise Malformed("MALFORMED", "there is no such place in a timeline")
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    if wait_s <= 0:
        # Whoever follows a timeline asks for what there is, and only then waits.
        seen(document.id)
    if document.items <= after_seq:
        await watch.changed(document.id, after_seq, min(wait_s, WAIT_S_MAX))
    async with db.connection() as connection:
        found = await timelines.items_after(connection, document.id, after_seq, ITEMS_AT_ONCE_MAX)
    return [(seq, representation.item_json(seq, item)) for seq, item in enumerate(found, after_seq + 1)]
