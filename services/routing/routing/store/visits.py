"""Visits of a document, whole, under the lock of its case; and who did not come, newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.database import Tx
from kit.errors import NotFound
from psycopg.rows import dict_row, tuple_row

from routing.domain import Agenda, Attendant, Case, NoShow, Party, Slot, Visit, VisitState

from . import rows
from .cases import locked

UPSERT_VISIT = """
insert into visits (
    id, case_id, document_id, number, step, place, starts_at, ends_at, proposed_by, person, proposed_at, request_id,
    state, ended_by, reason, closed_at, is_fixed
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (id) do update set
    state = excluded.state, ended_by = excluded.ended_by, reason = excluded.reason, closed_at = excluded.closed_at
"""
UPSERT_PARTY = """
insert into visit_parties (
    visit_id, party, position, confirmed_by, confirmed_at, findings, recorded_by, recorded_at
)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (visit_id, party) do update set
    confirmed_by = excluded.confirmed_by, confirmed_at = excluded.confirmed_at, findings = excluded.findings,
    recorded_by = excluded.recorded_by, recorded_at = excluded.recorded_at
"""
INSERT_NO_SHOW = """
insert into no_shows (
    id, visit_id, document_id, owner_organisation_id, submitter_organisation_id, party, told_by, person, told_at
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (id) do nothing
"""
NO_SHOWS = """
select no_shows.id, no_shows.visit_id, no_shows.document_id, cases.reference, no_shows.party, no_shows.told_by,
    no_shows.told_at, visits.place, visits.starts_at, visits.ends_at
from no_shows
join visits on visits.id = no_shows.visit_id
join cases on cases.document_id = no_shows.document_id
"""


@dataclass(frozen=True)
class Absence:
    """A no-show as it is listed."""

    id: str
    visit_id: str
    document_id: str
    reference: str
    party: str
    told_by: str
    told_at: datetime
    slot: Slot


async def agenda_of_document(tx: Tx, document_id: str) -> Agenda:
    """Locked until the transaction ends, as its case is."""
    return await _agenda(tx, await locked(tx, "document_id = %s", document_id))


async def agenda_of_visit(tx: Tx, visit_id: str) -> Agenda:
    return await _agenda(tx, await locked(tx, "id = (select case_id from visits where id = %s)", visit_id))


async def save_visits(tx: Tx, before: Agenda, after: Agenda) -> None:
    """Writes what differs."""
    for visit in (visit for visit in after.visits if visit not in before.visits):
        await tx.execute(UPSERT_VISIT, _visit_values(after.case, visit))
        for place, party in enumerate(visit.parties):
            await tx.execute(UPSERT_PARTY, _party_values(visit, place, party))
        for no_show in visit.no_shows:
            await tx.execute(INSERT_NO_SHOW, _no_show_values(after.case, no_show))


async def absences(
    connection: Tx, condition: str, values: Sequence[Any], after: tuple[str, str] | None, limit: int
) -> list[Absence]:
    """Those the condition lets the caller see; `after` is the last one given."""
    conditions, given = [condition], list(values)
    if after is not None:
        conditions.append("(no_shows.told_at, no_shows.id) < (%s::timestamptz, %s)")
        given.extend(after)
    cursor = await connection.cursor(row_factory=dict_row).execute(
        f"{NO_SHOWS} where {' and '.join(conditions)} order by no_shows.told_at desc, no_shows.id desc limit %s",
        [*given, limit],
    )
    return [_absence(row) for row in await cursor.fetchall()]


def concerning(organisation_id: str, agency: str, *, everybody: bool) -> tuple[str, list[Any]]:
    """What somebody may see: an agency its own absences and those it told of, an operator those of its documents."""
    if everybody:
        return "true", []
    if agency:
        return "(no_shows.party = %s or no_shows.told_by = %s)", [agency, agency]
    return (
        "(no_shows.owner_organisation_id = %s or no_shows.submitter_organisation_id = %s)",
        [organisation_id, organisation_id],
    )


async def parties_of(connection: Tx, document_id: str, visit_id: str) -> tuple[str, str, str] | None:
    """Owner, submitter and type of a document, found by its id or by that of one of its visits."""
    cursor = await connection.cursor(row_factory=tuple_row).execute(
        """
        select owner_organisation_id, submitter_organisation_id, document_type
        from cases
        where document_id = coalesce(nullif(%s, ''), (select document_id from visits where id = %s))
        """,
        [document_id, visit_id],
    )
    return await cursor.fetchone()


async def visits_of(connection: Tx, document_id: str) -> tuple[Visit, ...]:
    parties, no_shows = await _parties(connection, document_id), await _no_shows(connection, document_id)
    cursor = await connection.cursor(row_factory=dict_row).execute(
        "select * from visits where document_id = %s order by number", [document_id]
    )
    return tuple(_visit(row, parties[row["id"]], no_shows[row["id"]]) for row in await cursor.fetchall())


async def _agenda(tx: Tx, case: Case | None) -> Agenda:
    if case is None or not case.document.pack_version:
        raise NotFound("NOT_FOUND")
    return Agenda(case, await visits_of(tx, case.document.document_id))


async def _parties(connection: Tx, document_id: str) -> dict[str, list[Party]]:
    cursor = await connection.cursor(row_factory=dict_row).execute(
        """
        select visit_parties.*
        from visit_parties
        join visits on visits.id = visit_parties.visit_id
        where visits.document_id = %s
        order by visit_parties.position
        """,
        [document_id],
    )
    found: dict[str, list[Party]] = defaultdict(list)
    for row in await cursor.fetchall():
        found[row["visit_id"]].append(_party(row))
    return found


async def _no_shows(connection: Tx, document_id: str) -> dict[str, list[NoShow]]:
    cursor = await connection.cursor(row_factory=dict_row).execute(
        """
        select no_shows.*
        from no_shows
        join visits on visits.id = no_shows.visit_id
        where visits.document_id = %s
        order by no_shows.told_at, no_shows.id
        """,
        [document_id],
    )
    found: dict[str, list[NoShow]] = defaultdict(list)
    for row in await cursor.fetchall():
        told_by = Attendant(row["person"], row["told_by"])
        found[row["visit_id"]].append(NoShow(row["id"], row["visit_id"], row["party"], told_by, row["told_at"]))
    return found


def _visit(row: rows.Row, parties: list[Party], no_shows: list[NoShow]) -> Visit:
    return Visit(
        id=row["id"],
        number=row["number"],
        step=row["step"],
        slot=Slot(row["starts_at"], row["ends_at"], row["place"]),
        proposed_by=Attendant(row["person"], row["proposed_by"]),
        proposed_at=row["proposed_at"],
        parties=tuple(parties),
        request_id=row["request_id"],
        state=VisitState(row["state"]),
        ended_by=row["ended_by"],
        reason=row["reason"],
        closed_at=row["closed_at"],
        no_shows=tuple(no_shows),
        is_fixed=row["is_fixed"],
    )


def _party(row: rows.Row) -> Party:
    return Party(
        name=row["party"],
        confirmed_by=row["confirmed_by"],
        confirmed_at=row["confirmed_at"],
        findings=row["findings"],
        recorded_by=row["recorded_by"],
        recorded_at=row["recorded_at"],
    )


def _absence(row: rows.Row) -> Absence:
    slot = Slot(row["starts_at"], row["ends_at"], row["place"])
    named = (row["id"], row["visit_id"], row["document_id"], row["reference"], row["party"], row["told_by"])
    return Absence(*named, row["told_at"], slot)


def _visit_values(case: Case, visit: Visit) -> list[Any]:
    slot = visit.slot
    return [
        *(visit.id, case.id, case.document.document_id, visit.number, visit.step),
        *(slot.place, slot.starts_at, slot.ends_at),
        *(visit.proposed_by.party, visit.proposed_by.person, visit.proposed_at, visit.request_id),
        *(visit.state, visit.ended_by, visit.reason, visit.closed_at, visit.is_fixed),
    ]


def _party_values(visit: Visit, place: int, party: Party) -> list[Any]:
    return [
        *(visit.id, party.name, place, party.confirmed_by, party.confirmed_at),
        *(party.findings, party.recorded_by, party.recorded_at),
    ]


def _no_show_values(case: Case, no_show: NoShow) -> list[Any]:
    document = case.document
    return [
        *(no_show.id, no_show.visit_id, document.document_id),
        *(document.owner_organisation_id, document.submitter_organisation_id),
        *(no_show.party, no_show.told_by.party, no_show.told_by.person, no_show.told_at),
    ]
