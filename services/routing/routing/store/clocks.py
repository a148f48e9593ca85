"""The timers whose next rung has come, and the right to say so once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kit.database import Tx
from psycopg.rows import dict_row, tuple_row

from routing.domain import Missed, Timer

from . import rows

# The only rung of the clock of silence.
TACIT_RUNG = "tacit"


@dataclass(frozen=True)
class Late:
    """A running clock past a rung, and the task it belongs to."""

    timer: Timer
    task_id: str
    agency: str
    step: str
    document_type: str
    case_id: str
    document_id: str
    reference: str
    pack_version: str


async def late(tx: Tx, now: datetime, batch_max: int) -> list[Late]:
    """Locks case and timer; what another transaction holds is left to the next sweep."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"""
        select {rows.timer_columns(rows.TERM)}, tasks.id as task_id, tasks.agency, tasks.step,
            cases.document_type, cases.id as case_id, cases.document_id, cases.reference, cases.pack_version
        from timers
        join tasks on tasks.id = timers.task_id
        join cases on cases.id = tasks.case_id
        where timers.state = 'ARMED' and timers.next_rung_at <= %s
        order by timers.next_rung_at
        limit %s
        for update of cases, timers skip locked
        """,  # noqa: S608 - our own column list
        [now, batch_max],
    )
    return [_late(row) for row in await cursor.fetchall()]


async def unanswered(tx: Tx, now: datetime, batch_max: int) -> list[str]:
    """Documents whose operator let the term for an answer pass; their cases are locked, what is busy is left."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select cases.document_id
        from information_requests
        join cases on cases.document_id = information_requests.document_id
        where information_requests.state = 'OPEN' and information_requests.due_at <= %s
            and (information_requests.parked_until is null or information_requests.parked_until <= %s)
        order by information_requests.due_at
        limit %s
        for update of cases skip locked
        """,
        [now, now, batch_max],
    )
    return list(dict.fromkeys(row[0] for row in await cursor.fetchall()))


async def silent(tx: Tx, now: datetime, batch_max: int) -> list[str]:
    """Documents that silence may decide something about now; their cases are locked, what is busy is left."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select cases.document_id
        from timers
        join tasks on tasks.id = timers.task_id
        join cases on cases.id = tasks.case_id
        where timers.kind = 'tacit' and timers.state = 'ARMED' and timers.fire_at <= %s
            and (timers.parked_until is null or timers.parked_until <= %s)
            and not exists (select from escalations where timer_id = timers.id and rung = %s)
        order by timers.fire_at
        limit %s
        for update of cases, timers skip locked
        """,
        [now, now, TACIT_RUNG, batch_max],
    )
    return list(dict.fromkeys(row[0] for row in await cursor.fetchall()))


async def park_silence(tx: Tx, document_id: str, until: datetime) -> None:
    """The document's clocks of silence go on running; nobody looks at them until then."""
    await tx.execute(
        """
        update timers
        set parked_until = %s
        from tasks
        where tasks.id = timers.task_id and tasks.document_id = %s
            and timers.kind = 'tacit' and timers.state = 'ARMED'
        """,
        [until, document_id],
    )


async def park_information(tx: Tx, document_id: str, until: datetime) -> None:
    await tx.execute(
        "update information_requests set parked_until = %s where document_id = %s and state = 'OPEN'",
        [until, document_id],
    )


async def claim_rungs(tx: Tx, claims: Sequence[tuple[str, Missed]], now: datetime) -> set[tuple[str, str]]:
    """The (timer, rung) pairs that nobody had claimed before."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        insert into escalations (timer_id, rung, claimed_at)
        select timer_id, rung, %s
        from unnest(%s::text[], %s::text[]) as claimed (timer_id, rung)
        on conflict do nothing
        returning timer_id, rung
        """,
        [now, [timer_id for timer_id, _ in claims], [missed.rung for _, missed in claims]],
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def save_climbed(tx: Tx, timers: Sequence[Timer]) -> None:
    await tx.execute(
        """
        update timers
        set climbed = climbing.climbed, next_rung_at = climbing.next_rung_at
        from unnest(%s::text[], %s::integer[], %s::timestamptz[]) as climbing (id, climbed, next_rung_at)
        where timers.id = climbing.id
        """,
        [
            [timer.id for timer in timers],
            [timer.climbed for timer in timers],
            [timer.next_rung_at for timer in timers],
        ],
    )


def _late(row: rows.Row) -> Late:
    return Late(
        timer=rows.timer(row),
        task_id=row["task_id"],
        agency=row["agency"],
        step=row["step"],
        document_type=row["document_type"],
        case_id=row["case_id"],
        document_id=row["document_id"],
        reference=row["reference"],
        pack_version=row["pack_version"],
    )
