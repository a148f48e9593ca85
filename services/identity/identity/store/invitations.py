"""Invitations."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from dataclasses import asdict
from datetime import datetime

from kit.database import Tx
from psycopg.rows import tuple_row

from identity.domain.invitations import BY_SIGNING_UP, TRIES_MAX, Invitation
from identity.store import rows

COLUMNS = """
    id, organisation_id, email, name, language, roles, token_sha256, invited_by, invited_at, expires_at,
    failed_tries, ended_at, outcome, user_id
"""


async def add(tx: Tx, invitation: Invitation) -> None:
    await tx.execute(
        f"""
        insert into invitations ({COLUMNS})
        values (
            %(id)s, %(organisation_id)s, %(email)s, %(name)s, %(language)s, %(roles)s, %(token_sha256)s,
            %(invited_by)s, %(invited_at)s, %(expires_at)s, %(failed_tries)s, %(ended_at)s, %(outcome)s, %(user_id)s
        )
        """,
        asdict(invitation) | {"roles": list(invitation.roles)},
    )


async def by_id(tx: Tx, invitation_id: str) -> Invitation | None:
    return await rows.one(tx, Invitation, f"select {COLUMNS} from invitations where id = %s", [invitation_id])


async def locked(tx: Tx, invitation_id: str) -> Invitation | None:
    query = f"select {COLUMNS} from invitations where id = %s for update"
    return await rows.one(tx, Invitation, query, [invitation_id])


async def open_for(tx: Tx, organisation_id: str, email: str) -> Invitation | None:
    query = f"select {COLUMNS} from invitations where organisation_id = %s and email = %s and ended_at is null"
    return await rows.one(tx, Invitation, query, [organisation_id, email])


async def end(tx: Tx, invitation: Invitation) -> None:
    await tx.execute(
        "update invitations set ended_at = %s, outcome = %s, user_id = %s where id = %s and ended_at is null",
        [invitation.ended_at, invitation.outcome, invitation.user_id, invitation.id],
    )


async def count_failure(tx: Tx, invitation_id: str) -> None:
    await tx.execute(
        f"update invitations set failed_tries = failed_tries + 1 where id = %s and failed_tries < {TRIES_MAX}",
        [invitation_id],
    )


async def open_ones(tx: Tx, organisation_id: str, at: datetime) -> int:
    query = "select count(*) from invitations where organisation_id = %s and ended_at is null and expires_at > %s"
    return await _number(tx, query, [organisation_id, at])


async def sent_since(tx: Tx, email: str, since: datetime, *, by_signing_up: bool) -> int:
    """Strangers' letters and administrators' are counted apart: those cannot use up the room of these."""
    query = "select count(*) from invitations where email = %s and invited_at > %s and (invited_by = %s) = %s"
    return await _number(tx, query, [email, since, BY_SIGNING_UP, by_signing_up])


async def _number(tx: Tx, query: str, values: list[object]) -> int:
    cursor = await tx.cursor(row_factory=tuple_row).execute(query, values)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def page(tx: Tx, organisation_id: str, *, after: str, limit: int) -> list[Invitation]:
    query = f"select {COLUMNS} from invitations where organisation_id = %s and id > %s order by id limit %s"
    return await rows.many(tx, Invitation, query, [organisation_id, after, limit])
