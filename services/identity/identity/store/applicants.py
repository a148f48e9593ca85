"""Organisations that have signed up and are not admitted yet."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from datetime import datetime

import psycopg
from kit.database import Tx
from kit.errors import Conflict

from identity.domain.organisations import Organisation
from identity.store import rows
from identity.store.organisations import COLUMNS

FORGOTTEN_AT_ONCE_MAX = 500


async def lock(tx: Tx, email: str) -> None:
    """Two sign-ups of one address are one after the other."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [email])


async def waiting_for(tx: Tx, company_number: str, kind: str, email: str) -> Organisation | None:
    """The applicant whose first person was invited at this address and has not come yet."""
    return await rows.one(
        tx,
        Organisation,
        f"""
        select {COLUMNS}
        from organisations
        where company_number = %s and kind = %s and state = 'APPLICANT'
          and exists (
              select 1 from invitations where organisation_id = organisations.id and email = %s and ended_at is null
          )
        order by id
        limit 1
        """,
        [company_number, kind, email],
    )


async def add(tx: Tx, organisation: Organisation, at: datetime) -> None:
    await tx.execute(
        """
        insert into organisations
            (id, name, kind, company_number, agency_code, language, billing_mode, attributes, state, signed_up_at)
        values (%s, %s, %s, %s, '', %s, %s, '{}', %s, %s)
        """,
        [
            *(organisation.id, organisation.name, organisation.kind, organisation.company_number),
            *(organisation.language, organisation.billing_mode, organisation.state, at),
        ],
    )


async def save(tx: Tx, organisation: Organisation) -> None:
    """Raises Conflict when another organisation of this kind has the number already."""
    try:
        await tx.execute(
            """
            update organisations
            set name = %s, kind = %s, company_number = %s, billing_mode = %s, state = %s, activated_at = %s
            where id = %s
            """,
            [
                *(organisation.name, organisation.kind, organisation.company_number, organisation.billing_mode),
                *(organisation.state, organisation.activated_at, organisation.id),
            ],
        )
    except psycopg.errors.UniqueViolation as error:
        raise Conflict("ORGANISATION_EXISTS", "this company number is registered already") from error


async def end_invitations(tx: Tx, organisation_id: str, at: datetime) -> None:
    """What an applicant was invited to is no more."""
    await tx.execute(
        "update invitations set ended_at = %s, outcome = 'REVOKED' where organisation_id = %s and ended_at is null",
        [at, organisation_id],
    )


async def forget(tx: Tx, before: datetime, now: datetime) -> None:
    """Those whose first person never came, with the invitations that were never used."""
    cursor = await tx.execute(
        f"""
        select id from organisations
        where state = 'APPLICANT' and signed_up_at < %s
          and not exists (select 1 from users where organisation_id = organisations.id)
          and not exists (
              select 1 from invitations
              where organisation_id = organisations.id and ended_at is null and expires_at > %s
          )
        limit {FORGOTTEN_AT_ONCE_MAX}
        for update skip locked
        """,
        [before, now],
    )
    forgotten = [row[0] for row in await cursor.fetchall()]
    await tx.execute("delete from invitations where organisation_id = any(%s)", [forgotten])
    await tx.execute("delete from organisations where id = any(%s)", [forgotten])
