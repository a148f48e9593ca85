"""The clocks: who is late is said, once per rung of the ladder, however many sweepers look."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

import psycopg
from kit import clock, telemetry
from kit.database import Database
from kit.errors import Unavailable
from prometheus_client import Counter, Gauge

from routing import store
from routing.domain import Missed, Rulebook, RungClimbed

from .absences import FORGOTTEN_TASKS_MAX, release_forgotten
from .asking import LAPSE_DOCUMENTS_MAX, lapse
from .said import say_climbed
from .silence import SILENT_DOCUMENTS_MAX, fall_silent

SWEEP_EVERY_S = 1.0
RETRY_S = 2.0
SWEEP_TIMERS_MAX = 200

DEADLINES_MISSED_TOTAL = Counter(
    "portolan_deadlines_missed_total",
    "Rungs of the escalation ladder climbed. A jump means an agency stopped working, or nobody swept for a while.",
    ["rung"],
)
SWEEP_BEHIND_SECONDS = Gauge(
    "portolan_sweep_behind_seconds",
    "How late the last sweep noticed a missed deadline. Above a minute the sweeper cannot keep up, or was down.",
)


async def sweep(database: Database, rulebooks: store.Rulebooks, now: datetime) -> int:
    """One batch; answers how many clocks it looked at."""
    async with database.transaction() as tx:
        found = await store.late(tx, now, SWEEP_TIMERS_MAX)
        if not found:
            return 0
        climbed = []
        for late in found:
            rulebook = await rulebooks.of(late.pack_version, tx)
            climbed.append((late, rulebook, *late.timer.climb(now, rulebook.calendars)))
        claims = [(timer.id, rung) for _, _, timer, rungs in climbed for rung in rungs]
        claimed = await store.claim_rungs(tx, claims, now)
        await store.save_climbed(tx, [timer for _, _, timer, _ in climbed])
        said = [
            (late, _fact(late, rulebook, rung))
            for late, rulebook, timer, rungs in climbed
            for rung in rungs
            if (timer.id, rung.rung) in claimed
        ]
        await say_climbed(tx, said)
    _measure([fact for _, fact in said], now)
    return len(found)


async def watch(database: Database, rulebooks: store.Rulebooks, stop: asyncio.Event) -> None:
    """Sweeps until told to stop; a full batch is followed at once by the next."""
    while not stop.is_set():
        wait_s = SWEEP_EVERY_S
        try:
            if await _round(database, rulebooks):
                continue
        except (Unavailable, psycopg.Error) as error:
            telemetry.log().warning("sweep_waits", reason=str(error))
            wait_s = RETRY_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)


async def _round(database: Database, rulebooks: store.Rulebooks) -> bool:
    """Whether anything is left. Who is late is said before silence decides it."""
    lapsed = await lapse(database, rulebooks, clock.now())
    swept = await sweep(database, rulebooks, clock.now())
    silent = await fall_silent(database, rulebooks, clock.now())
    forgotten = await release_forgotten(database, clock.now())
    is_full = swept == SWEEP_TIMERS_MAX or lapsed == LAPSE_DOCUMENTS_MAX or silent == SILENT_DOCUMENTS_MAX
    is_full = is_full or forgotten == FORGOTTEN_TASKS_MAX
    if is_full:
        telemetry.log().info("sweep_batch_full", timers=swept, documents=lapsed, silent=silent, forgotten=forgotten)
    return is_full


def _fact(late: store.Late, rulebook: Rulebook, climbed: Missed) -> RungClimbed:
    assert late.timer.fire_at is not None  # noqa: S101 - only armed timers climb
    rung = rulebook.escalation(late.document_type, late.step, climbed.rung)
    return RungClimbed(late.task_id, late.agency, rung, late.timer.fire_at, climbed.at)


def _measure(climbed: list[RungClimbed], now: datetime) -> None:
    for fact in climbed:
        if not fact.rung.is_before_due:
            DEADLINES_MISSED_TOTAL.labels(fact.rung.key).inc()
        SWEEP_BEHIND_SECONDS.set((now - fact.climbed_at).total_seconds())
