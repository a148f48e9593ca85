"""Mandates, standing and past."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from datetime import datetime

from kit.database import Tx

from identity.domain.mandates import Mandate
from identity.store import rows

COLUMNS = """
    id, principal_organisation_id, agent_organisation_id, powers, document_types,
    valid_from, valid_to, granted_at, granted_by, revoked_at, revoked_by
"""
# Grants beyond this between the same two are refused, so that `standing` is always all of them.
STANDING_MAX = 100


async def add(tx: Tx, mandate: Mandate) -> None:
    await tx.execute(
        """
        insert into mandates
            (id, principal_organisation_id, agent_organisation_id, powers, document_types,
             valid_from, valid_to, granted_at, granted_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            *(mandate.id, mandate.principal_organisation_id, mandate.agent_organisation_id),
            *(list(mandate.powers), list(mandate.document_types), mandate.valid_from, mandate.valid_to),
            *(mandate.granted_at, mandate.granted_by),
        ],
    )


async def by_id(tx: Tx, mandate_id: str) -> Mandate | None:
    return await rows.one(tx, Mandate, f"select {COLUMNS} from mandates where id = %s", [mandate_id])


async def save_revocation(tx: Tx, mandate: Mandate) -> None:
    await tx.execute(
        "update mandates set revoked_at = %s, revoked_by = %s where id = %s and revoked_at is null",
        [mandate.revoked_at, mandate.revoked_by, mandate.id],
    )


async def standing(tx: Tx, principal_id: str, agent_id: str, at: datetime) -> list[Mandate]:
    """Neither revoked nor over; which of them allows what, the domain says."""
    return await rows.many(
        tx,
        Mandate,
        f"""
        select {COLUMNS}
        from mandates
        where principal_organisation_id = %s
          and agent_organisation_id = %s
          and revoked_at is null
          and (valid_to is null or valid_to > %s)
        order by id
        limit {STANDING_MAX}
        """,
        [principal_id, agent_id, at],
    )


async def page(tx: Tx, organisation_id: str, *, after: str, limit: int) -> list[Mandate]:
    """Those the organisation granted and those it was granted."""
    return await rows.many(
        tx,
        Mandate,
        f"""
        select {COLUMNS}
        from mandates
        where (principal_organisation_id = %s or agent_organisation_id = %s)
          and id > %s
        order by id
        limit %s
        """,
        [organisation_id, organisation_id, after, limit],
    )
