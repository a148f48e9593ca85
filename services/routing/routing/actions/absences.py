"""Who is away and who acts meanwhile; and tasks that somebody took and forgot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kit import clock, ids
from kit.database import Database
from kit.errors import Forbidden, Refused

from routing import store
from routing.domain import SUPERVISOR, Absence, Officer

ABSENCES_OPEN_MAX = 200
# A working day and its night: whoever took a task and did nothing has forgotten it.
CLAIM_SECONDS_MAX = 24 * 3600
FORGOTTEN_TASKS_MAX = 200


@dataclass(frozen=True)
class Away:
    """`person` empty is the caller's own absence."""

    person: str
    delegate: str
    starts_at: datetime
    ends_at: datetime
    request_id: str


async def create(database: Database, officer: Officer, away: Away) -> Absence:
    """The same request again answers the same."""
    now, person = clock.now(), away.person or officer.person
    _must_manage(officer, person)
    absence = Absence(
        id=ids.new_id(),
        agency=officer.agency,
        person=person,
        delegate=away.delegate,
        starts_at=away.starts_at,
        ends_at=away.ends_at,
        created_by=officer.person,
        created_at=now,
    )
    absence.must_make_sense(now)
    async with database.transaction() as tx:
        if await store.standing.number_open(tx, officer.agency, now) >= ABSENCES_OPEN_MAX:
            raise Refused("TOO_MANY_ABSENCES", f"at most {ABSENCES_OPEN_MAX} at once; end those that are over")
        return await store.standing.add(tx, absence, away.request_id)


async def end(database: Database, officer: Officer, absence_id: str) -> Absence:
    """At once. What is over stays as it ended."""
    async with database.transaction() as tx:
        absence = await store.standing.locked(tx, absence_id, officer.agency)
        _must_manage(officer, absence.person)
        await store.standing.end(tx, absence.id, clock.now())
        return await store.standing.locked(tx, absence_id, officer.agency)


async def release_forgotten(database: Database, now: datetime) -> int:
    """Back to the queue. One batch; answers how many."""
    async with database.transaction() as tx:
        found = await store.standing.forgotten(tx, now - timedelta(seconds=CLAIM_SECONDS_MAX), FORGOTTEN_TASKS_MAX)
        await store.standing.unclaim(tx, found)
    return len(found)


def _must_manage(officer: Officer, person: str) -> None:
    if not officer.agency:
        raise Forbidden("FORBIDDEN", "absences are of people who work at an agency")
    if person != officer.person and SUPERVISOR not in officer.roles:
        raise Forbidden("FORBIDDEN", f"another's absence needs the role {SUPERVISOR}")
