"""Measure: medians of the last 90 days, added up from time to time by one process, read by everybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

from kit import clock, telemetry
from kit.database import Database
from kit.errors import Unavailable

from intake.domain.durations import SAMPLES_MIN, WINDOW, Duration
from intake.store import durations

ROLL_UP_EVERY = timedelta(minutes=10)
LOOK_EVERY_S = 30.0
SHOWN_MAX = 2_000


async def roll_up(db: Database) -> bool:
    """Whether it was due, and is done."""
    now = clock.now()
    async with db.transaction() as tx:
        if not await durations.claim_rollup(tx, now, now - ROLL_UP_EVERY):
            return False
        await durations.roll_up(tx, now, now - WINDOW)
    return True


async def watch(db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await roll_up(db)
        except Unavailable as error:
            telemetry.log().warning("durations_wait", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)


async def shown(db: Database) -> Sequence[Duration]:
    async with db.connection() as connection:
        return await durations.durations(connection, SAMPLES_MIN, SHOWN_MAX)
