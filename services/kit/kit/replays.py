"""Publish again what the outbox keeps: for a bus that came back without its data, or because a person asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row, tuple_row

from kit import clock, ids, outbox
from kit.database import Tx
from kit.errors import Invalid
from kit.events import Event

REFILL = "REFILL"
REPLAY = "REPLAY"
RELAY = "relay"
# How many rows of the outbox one step goes through, wanted or not.
STEP_ROWS_MAX = 1_000
REASON_CHARACTERS_MAX = 500
# Facts of a process whose clock is ahead belong to a refill too.
CLOCK_AHEAD_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Facts said from `since` until just before `until`; of one topic or key, where named."""

    since: datetime
    until: datetime
    topic: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    id: str
    kind: str
    since: datetime
    until: datetime
    topic: str
    key: str
    position: int
    last: int
    published: int
    finished_at: datetime | None

    def wants(self, event: Event) -> bool:
        return self.topic in ("", event.topic) and self.key in ("", event.key)

    @property
    def rows_left(self) -> int:
        return max(self.last - self.position, 0)


async def notice(tx: Tx, cluster_id: str) -> bool:
    """Remembers which bus this is. Another one than before is refilled with everything kept, which is answered."""
    cursor = await tx.cursor(row_factory=tuple_row).execute("select id from bus_cluster")
    row = await cursor.fetchone()
    if row is not None and row[0] == cluster_id:
        return False
    await tx.execute(
        "insert into bus_cluster (id) values (%s) on conflict (is_only) do update set id = excluded.id, since = now()",
        [cluster_id],
    )
    if row is not None:
        await _refill(tx, row[0], cluster_id)
    return row is not None


async def _refill(tx: Tx, before: str, cluster_id: str) -> None:
    """A refill that was on its way to the bus before is over."""
    await tx.execute("update replays set finished_at = now() where kind = %s and finished_at is null", [REFILL])
    now = clock.now()
    kept = Wanted(now - timedelta(days=outbox.KEEP_DAYS), now + CLOCK_AHEAD_MAX)
    await _request(tx, REFILL, kept, f"the bus was {before} and is {cluster_id}", RELAY)


async def request(tx: Tx, wanted: Wanted, reason: str, requested_by: str) -> str:
    """Answers its id. Raises Invalid for what the outbox keeps no longer, or for no reason."""
    oldest = clock.now() - timedelta(days=outbox.KEEP_DAYS)
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
        raise Invalid("INVALID_REQUEST", f"a reason is wanted, of at most {REASON_CHARACTERS_MAX} characters")
    if wanted.since < oldest:
        raise Invalid("INVALID_REQUEST", f"the outbox keeps {outbox.KEEP_DAYS} days: nothing before {oldest} comes")
    if wanted.since >= wanted.until:
        raise Invalid("INVALID_REQUEST", "it ends before it begins")
    return await _request(tx, REPLAY, wanted, reason, requested_by)


async def _request(tx: Tx, kind: str, wanted: Wanted, reason: str, requested_by: str) -> str:
    replay_id = ids.new_id()
    await tx.execute(
        """
        insert into replays (id, kind, reason, requested_by, requested_at, since, until, topic, key, last)
        select %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(max(id), 0) from outbox
        """,
        [
            *(replay_id, kind, reason, requested_by, clock.now()),
            *(wanted.since, wanted.until, wanted.topic, wanted.key),
        ],
    )
    return replay_id


COLUMNS = "id::text, kind, since, until, topic, key, position, last, published, finished_at"


async def next_open(tx: Tx) -> Replay | None:
    """Refills first."""
    return await _one(tx, "where finished_at is null order by kind, requested_at limit 1", [])


async def of(tx: Tx, replay_id: str) -> Replay | None:
    return await _one(tx, "where id = %s", [replay_id])


async def _one(tx: Tx, which: str, parameters: Sequence[Any]) -> Replay | None:
    query = f"select {COLUMNS} from replays {which}"  # noqa: S608
    cursor = await tx.cursor(row_factory=dict_row).execute(query, parameters)
    row = await cursor.fetchone()
    return Replay(**row) if row else None


async def step(tx: Tx, replay: Replay) -> tuple[Replay, list[Event]]:
    """Moves on by up to STEP_ROWS_MAX rows, and answers what is to be published before this commits.

    What was never published is not its business: the relay does that, after a refill.
    """
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select id, event_id::text, topic, key, type, created_at, payload, traceparent
        from outbox
        where published_at is not null and id > %(position)s and id <= %(last)s
            and created_at >= %(since)s and created_at < %(until)s
        order by id
        limit %(rows)s
        """,
        {
            **{"position": replay.position, "last": replay.last, "since": replay.since, "until": replay.until},
            "rows": STEP_ROWS_MAX,
        },
        prepare=False,
    )
    rows = await cursor.fetchall()
    events = [event for event in (Event(*row[1:]) for row in rows) if replay.wants(event)]
    moved = replace(
        replay,
        position=rows[-1][0] if len(rows) == STEP_ROWS_MAX else replay.last,
        published=replay.published + len(events),
        finished_at=None if len(rows) == STEP_ROWS_MAX else clock.now(),
    )
    await _save(tx, moved)
    return moved, events


async def _save(tx: Tx, replay: Replay) -> None:
    await tx.execute(
        "update replays set position = %s, published = %s, finished_at = %s where id = %s",
        [replay.position, replay.published, replay.finished_at, replay.id],
    )
