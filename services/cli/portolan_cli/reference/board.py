"""The officers' queues, looked at for everybody who waits for a task in them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portolan_cli.demo_file import Actor
from portolan_cli.reference.wire import Wire

LOOK_EVERY_S = 0.15
PAGE_TASKS = 200
PAGES_MAX = 20

Place = tuple[str, str, str]
"""Document, step, and the rule that asks (empty where the type itself does)."""


@dataclass
class Board:
    """One look at a queue serves all who wait for it."""

    wire: Wire
    officers: Mapping[str, Sequence[Actor]]
    patience_s: float
    _waiting: dict[str, dict[Place, asyncio.Future[str]]] = field(default_factory=dict)
    _lookers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def task(self, agency: str, place: Place) -> str:
        """The open task's id. Raises TimeoutError when none comes to this agency's queue in time."""
        waiting = self._waiting.setdefault(agency, {})
        coming: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting[place] = coming
        if agency not in self._lookers or self._lookers[agency].done():
            self._lookers[agency] = asyncio.create_task(self._look(agency))
        try:
            return await asyncio.wait_for(coming, self.patience_s)
        finally:
            waiting.pop(place, None)

    async def _look(self, agency: str) -> None:
        """While anybody waits."""
        while waiting := self._waiting[agency]:
            for task in await self._queue(agency):
                place = (task["document_id"], task["step"], task.get("rule") or "")
                coming = waiting.get(place)
                if coming is not None and not coming.done():
                    coming.set_result(task["id"])
            await asyncio.sleep(LOOK_EVERY_S)

    async def _queue(self, agency: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        path, by = f"/v1/tasks?state=OPEN&limit={PAGE_TASKS}", self.officers[agency][0].credentials
        cursor = ""
        for _ in range(PAGES_MAX):
            page = (await self.wire.get(path + (f"&cursor={cursor}" if cursor else ""), by)).content
            found += page["items"]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        return found
