"""Declarations by number, and the events that were told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import tuple_row
from psycopg.types.json import Json

from intake.domain.declarations import EventState, Recorded, Teller, Told

COLUMNS = """
    number, event_id, event, occurred_at, content, told_by, organisation_id, agency, state, received_at, applied_at,
    refusal
"""


async def lock(tx: Tx, number: str) -> str | None:
    """The id of the document that mirrors it, if it is registered; from now on nobody else tells of this number."""
    await tx.execute("insert into declarations (number) values (%s) on conflict do nothing", [number])
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text from declarations where number = %s for no key update", [number]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def document_id(tx: Tx, number: str) -> str | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text from declarations where number = %s", [number]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def mirror(tx: Tx, number: str, document_id: str) -> None:
    await tx.execute("update declarations set document_id = %s where number = %s", [document_id, number])


async def earlier(tx: Tx, told: Told) -> tuple[Recorded, bytes] | None:
    """The same event, by its id or by what happened, and its fingerprint."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"""
        select {COLUMNS}, fingerprint
        from declaration_events
        where event_id = %s or (number = %s and event = %s)
        order by event_id = %s desc
        limit 1
        """,  # noqa: S608
        [told.event_id, told.number, told.event, told.event_id],
    )
    row = await cursor.fetchone()
    return (_recorded(row), row[-1]) if row else None


async def events(tx: Tx, number: str) -> list[Recorded]:
    """As they were received. There are no more than the pack has events."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from declaration_events where number = %s order by received_at, event_id",  # noqa: S608
        [number],
    )
    return [_recorded(row) for row in await cursor.fetchall()]


async def held(tx: Tx, number: str) -> list[Recorded]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from declaration_events where number = %s and state = 'HELD'",  # noqa: S608
        [number],
    )
    return [_recorded(row) for row in await cursor.fetchall()]


async def held_count(tx: Tx, most: int) -> int:
    """Of all declarations, counted no further than `most`."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select count(*) from (select from declaration_events where state = 'HELD' limit %s) as held", [most]
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def add(tx: Tx, recorded: Recorded) -> bool:
    """Whether its id and its place were free."""
    told, teller = recorded.told, recorded.teller
    content = {"declaration": told.declaration, "remarks": told.remarks}
    cursor = await tx.execute(
        """
        insert into declaration_events (
            event_id, number, event, fingerprint, content, occurred_at, state, told_by, organisation_id, agency,
            received_at, applied_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(told.event_id, told.number, told.event, told.fingerprint, Json(content), told.occurred_at),
            *(str(recorded.state), teller.subject, teller.organisation_id, teller.agency),
            *(recorded.received_at, recorded.applied_at),
        ],
    )
    return cursor.rowcount > 0


async def settle(
    tx: Tx, event_id: str, state: EventState, applied_at: datetime | None, refusal: Mapping[str, Any] | None
) -> None:
    await tx.execute(
        "update declaration_events set state = %s, applied_at = %s, refusal = %s where event_id = %s",
        [str(state), applied_at, None if refusal is None else Json(refusal), event_id],
    )


async def forget(tx: Tx, event_id: str) -> None:
    """A refused event is told again: the new telling takes its place."""
    await tx.execute("delete from declaration_events where event_id = %s and state = 'REFUSED'", [event_id])


def _recorded(row: Sequence[Any]) -> Recorded:
    number, event_id, event, occurred_at, content = row[:5]
    told = Told(number, event_id, event, occurred_at, content["declaration"], content["remarks"])
    return Recorded(told, Teller(*row[5:8]), EventState(row[8]), *row[9:12])
