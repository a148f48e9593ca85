"""Absences: who stands in for whom, and what nobody looked at for too long."""

from __future__ import annotations

from datetime import datetime

from kit.database import Tx
from kit.errors import NotFound
from psycopg.rows import class_row, tuple_row

from routing.domain import Absence

COLUMNS = "id, agency, person, delegate, starts_at, ends_at, created_by, created_at, ended_at"


async def add(tx: Tx, absence: Absence, request_id: str) -> Absence:
    """The one that the same request stored before, if it did."""
    await tx.execute(
        """
        insert into absences (
            id, agency, person, delegate, starts_at, ends_at, created_by, request_id, created_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (created_by, request_id) do nothing
        """,
        [
            *(absence.id, absence.agency, absence.person, absence.delegate, absence.starts_at, absence.ends_at),
            *(absence.created_by, request_id, absence.created_at),
        ],
    )
    cursor = await tx.cursor(row_factory=class_row(Absence)).execute(
        f"select {COLUMNS} from absences where created_by = %s and request_id = %s",  # noqa: S608 - our own columns
        [absence.created_by, request_id],
    )
    found = await cursor.fetchone()
    assert found is not None  # noqa: S101 - written just now, or before
    return found


async def number_open(tx: Tx, agency: str, now: datetime) -> int:
    """Locks the agency's absences against each other for the rest of the transaction."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('absences of ' || %s, 0))", [agency])
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select count(*) from absences where agency = %s and ended_at is null and ends_at > %s", [agency, now]
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def page(tx: Tx, agency: str, after: str, limit: int) -> list[Absence]:
    """Latest first."""
    cursor = await tx.cursor(row_factory=class_row(Absence)).execute(
        f"""
        select {COLUMNS} from absences
        where agency = %s and (%s = '' or id < %s)
        order by id desc
        limit %s
        """,  # noqa: S608 - our own columns
        [agency, after, after, limit],
    )
    return await cursor.fetchall()


async def locked(tx: Tx, absence_id: str, agency: str) -> Absence:
    cursor = await tx.cursor(row_factory=class_row(Absence)).execute(
        f"select {COLUMNS} from absences where id = %s and agency = %s for update",  # noqa: S608 - our own columns
        [absence_id, agency],
    )
    found = await cursor.fetchone()
    if found is None:
        raise NotFound("NOT_FOUND")
    return found


async def end(tx: Tx, absence_id: str, now: datetime) -> None:
    await tx.execute("update absences set ended_at = %s where id = %s and ended_at is null", [now, absence_id])


async def stood_in_for(tx: Tx, delegate: str, agency: str, now: datetime) -> frozenset[str]:
    """Whose delegate the person is at this moment."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select person from absences
        where delegate = %s and agency = %s and ended_at is null and starts_at <= %s and ends_at > %s
        """,
        [delegate, agency, now, now],
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def forgotten(tx: Tx, claimed_before: datetime, batch_max: int) -> list[str]:
    """Tasks taken and not looked at since, their cases locked."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select tasks.id from tasks join cases on cases.id = tasks.case_id
        where tasks.state = 'CLAIMED' and tasks.claimed_at <= %s
        order by tasks.claimed_at
        limit %s
        for update of cases, tasks skip locked
        """,
        [claimed_before, batch_max],
    )
    return [row[0] for row in await cursor.fetchall()]


async def unclaim(tx: Tx, task_ids: list[str]) -> None:
    await tx.execute(
        "update tasks set state = 'OPEN', claimed_by = '', claimed_at = null where id = any(%s)", [task_ids]
    )
