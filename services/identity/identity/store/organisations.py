"""Organisations."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from collections.abc import Sequence
from dataclasses import asdict

import psycopg
from kit.database import Tx
from kit.errors import Conflict

from identity.domain.organisations import DIRECTORY, Organisation
from identity.store import rows

COLUMNS = "id, name, kind, company_number, agency_code, language, billing_mode, attributes, activated_at, state"


async def add(tx: Tx, organisation: Organisation) -> None:
    """Raises Conflict when the company number (of this kind) or the agency code is taken."""
    try:
        await tx.execute(
            """
            insert into organisations
                (id, name, kind, company_number, agency_code, language, billing_mode, attributes, activated_at)
            values
                (%(id)s, %(name)s, %(kind)s, %(company_number)s, %(agency_code)s, %(language)s, %(billing_mode)s,
                 %(attributes)s, %(activated_at)s)
            """,
            {**asdict(organisation), "attributes": list(organisation.attributes)},
        )
    except psycopg.errors.UniqueViolation as error:
        raise Conflict("ORGANISATION_EXISTS", "this company number or agency code is registered already") from error


async def by_id(tx: Tx, organisation_id: str) -> Organisation | None:
    return await rows.one(tx, Organisation, f"select {COLUMNS} from organisations where id = %s", [organisation_id])


async def locked(tx: Tx, organisation_id: str) -> Organisation | None:
    """Facts about one organisation are said in the order in which they became true: take this first."""
    query = f"select {COLUMNS} from organisations where id = %s for no key update"
    return await rows.one(tx, Organisation, query, [organisation_id])


async def by_agency_code(tx: Tx, code: str) -> Organisation | None:
    query = f"select {COLUMNS} from organisations where agency_code = %s and agency_code <> ''"
    return await rows.one(tx, Organisation, query, [code])


async def by_company_number(tx: Tx, number: str, kinds: Sequence[str]) -> list[Organisation]:
    """One of each kind at most, in the order of the kinds."""
    query = f"""
        select {COLUMNS} from organisations
        where company_number = %s and company_number <> '' and kind = any(%s)
        order by array_position(%s::text[], kind)
    """
    return await rows.many(tx, Organisation, query, [number, list(kinds), list(kinds)])


async def first_of_kind(tx: Tx, kind: str) -> Organisation | None:
    query = f"select {COLUMNS} from organisations where kind = %s order by id limit 1"
    return await rows.one(tx, Organisation, query, [kind])


async def are_connected(tx: Tx, one: str, other: str) -> bool:
    """Whether a mandate stands, or ever stood, between the two."""
    cursor = await tx.execute(
        """
        select 1
        from mandates
        where (principal_organisation_id, agent_organisation_id) in ((%s, %s), (%s, %s))
        limit 1
        """,
        [one, other, other, one],
    )
    return await cursor.fetchone() is not None


async def page(tx: Tx, *, kind: str, after: str, limit: int) -> list[Organisation]:
    return await rows.many(
        tx,
        Organisation,
        f"""
        select {COLUMNS}
        from organisations
        where (%s = '' or kind = %s)
          and id > %s
        order by id
        limit %s
        """,
        [kind, kind, after, limit],
    )


async def page_visible_to(tx: Tx, seen_by: str, *, kind: str, after: str, limit: int) -> list[Organisation]:
    """The directory, the organisation itself, and those it has or had a mandate with."""
    return await rows.many(
        tx,
        Organisation,
        f"""
        select {COLUMNS}
        from organisations
        where (%s = '' or kind = %s)
          and id > %s
          and (
              (kind = any(%s) and state = 'ACTIVE')
              or id = %s
              or id in (select agent_organisation_id from mandates where principal_organisation_id = %s)
              or id in (select principal_organisation_id from mandates where agent_organisation_id = %s)
          )
        order by id
        limit %s
        """,
        [kind, kind, after, sorted(DIRECTORY), seen_by, seen_by, seen_by, limit],
    )
