"""Webhook endpoints and their keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from notifications.domain.endpoints import KEPT_DAYS, Endpoint
from notifications.domain.signing import SealedKey

COLUMNS = """
    id, organisation_id, url, description, event_types, signature, state, disabled_reason, disabled_at,
    failing_since, last_sequence, created_at
"""
KEY_COLUMNS = "id, endpoint_id, public, sealed_private, created_at, expires_at"
ORGANISATION_LOCKS = 0x6F6F6B73


async def lock_organisation(tx: Tx, organisation_id: str) -> None:
    """Whoever counts endpoints must be the only one who adds."""
    await tx.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [ORGANISATION_LOCKS, organisation_id])


async def insert(tx: Tx, endpoint: Endpoint, request_id: str, created_by: str) -> None:
    await tx.execute(
        """
        insert into webhook_endpoints (
            id, request_id, organisation_id, url, description, event_types, signature, state, created_by, created_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            *(endpoint.id, request_id, endpoint.organisation_id, endpoint.url, endpoint.description),
            *(endpoint.event_types, endpoint.signature, endpoint.state, created_by, endpoint.created_at),
        ],
    )


async def by_request(tx: Tx, organisation_id: str, request_id: str) -> Endpoint | None:
    cursor = await tx.cursor(row_factory=class_row(Endpoint)).execute(
        f"select {COLUMNS} from webhook_endpoints where request_id = %s and organisation_id = %s",  # noqa: S608
        [request_id, organisation_id],
    )
    return await cursor.fetchone()


async def enabled_count(tx: Tx, organisation_id: str) -> int:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select count(*) from webhook_endpoints where organisation_id = %s and state = 'ENABLED'", [organisation_id]
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def of_organisation(tx: Tx, organisation_id: str, before: str | None, limit: int) -> list[Endpoint]:
    """Newest first."""
    cursor = await tx.cursor(row_factory=class_row(Endpoint)).execute(
        f"""
        select {COLUMNS}
        from webhook_endpoints
        where organisation_id = %s and (%s::text is null or id < %s)
        order by id desc
        limit %s
        """,  # noqa: S608
        [organisation_id, before, before, limit],
    )
    return await cursor.fetchall()


async def one(tx: Tx, organisation_id: str, endpoint_id: str) -> Endpoint | None:
    cursor = await tx.cursor(row_factory=class_row(Endpoint)).execute(
        f"select {COLUMNS} from webhook_endpoints where id = %s and organisation_id = %s",  # noqa: S608
        [endpoint_id, organisation_id],
    )
    return await cursor.fetchone()


async def lock(tx: Tx, endpoint_id: str) -> Endpoint | None:
    """Before anything of its deliveries is changed: everybody who takes both takes this first."""
    cursor = await tx.cursor(row_factory=class_row(Endpoint)).execute(
        f"select {COLUMNS} from webhook_endpoints where id = %s for update",  # noqa: S608
        [endpoint_id],
    )
    return await cursor.fetchone()


async def by_ids(tx: Tx, endpoint_ids: Collection[str]) -> dict[str, Endpoint]:
    cursor = await tx.cursor(row_factory=class_row(Endpoint)).execute(
        f"select {COLUMNS} from webhook_endpoints where id = any(%s)",  # noqa: S608
        [list(endpoint_ids)],
    )
    return {endpoint.id: endpoint for endpoint in await cursor.fetchall()}


async def listening(tx: Tx, organisation_ids: Collection[str]) -> frozenset[str]:
    """Those among them that have any endpoint."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select distinct organisation_id from webhook_endpoints where organisation_id = any(%s)",
        [list(organisation_ids)],
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def disable(tx: Tx, endpoint_id: str, reason: str, now: datetime) -> bool:
    """False when it was disabled already."""
    cursor = await tx.execute(
        """
        update webhook_endpoints set state = 'DISABLED', disabled_reason = %s, disabled_at = %s
        where id = %s and state = 'ENABLED'
        """,
        [reason, now, endpoint_id],
    )
    return cursor.rowcount == 1


async def enable(tx: Tx, endpoint_id: str) -> None:
    await tx.execute(
        """
        update webhook_endpoints
        set state = 'ENABLED', disabled_reason = '', disabled_at = null, failing_since = null
        where id = %s
        """,
        [endpoint_id],
    )


async def mark_failing(tx: Tx, endpoint_id: str, now: datetime) -> datetime:
    """Since when it fails."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        update webhook_endpoints set failing_since = coalesce(failing_since, %s)
        where id = %s
        returning failing_since
        """,
        [now, endpoint_id],
    )
    row = await cursor.fetchone()
    return row[0] if row else now


async def mark_well(tx: Tx, endpoint_id: str) -> None:
    await tx.execute(
        "update webhook_endpoints set failing_since = null where id = %s and failing_since is not null", [endpoint_id]
    )


async def forget_abandoned(tx: Tx, now: datetime) -> None:
    """Its keys and deliveries go with it."""
    await tx.execute("delete from webhook_endpoints where disabled_at < %s", [now - timedelta(days=KEPT_DAYS)])


async def add_key(tx: Tx, key: SealedKey, request_id: str) -> None:
    await tx.execute(
        f"insert into webhook_keys ({KEY_COLUMNS}, request_id) values (%s, %s, %s, %s, %s, %s, %s)",  # noqa: S608
        [
            *(key.id, key.endpoint_id, key.public, key.sealed_private),
            *(key.created_at, key.expires_at, request_id),
        ],
    )


async def key_by_request(tx: Tx, endpoint_id: str, request_id: str) -> SealedKey | None:
    cursor = await tx.cursor(row_factory=class_row(SealedKey)).execute(
        f"select {KEY_COLUMNS} from webhook_keys where request_id = %s and endpoint_id = %s",  # noqa: S608
        [request_id, endpoint_id],
    )
    return await cursor.fetchone()


async def retire_keys(tx: Tx, endpoint_id: str, now: datetime, until: datetime) -> None:
    """The present key lasts until the overlap ends; one that was on its way out ends now."""
    await tx.execute(
        """
        update webhook_keys
        set expires_at = case when expires_at is null then %s else %s end
        where endpoint_id = %s and (expires_at is null or expires_at > %s)
        """,
        [until, now, endpoint_id, now],
    )


async def keys(tx: Tx, endpoint_ids: Collection[str], now: datetime) -> Sequence[SealedKey]:
    """Those in force, newest first."""
    cursor = await tx.cursor(row_factory=class_row(SealedKey)).execute(
        f"""
        select {KEY_COLUMNS}
        from webhook_keys
        where endpoint_id = any(%s) and (expires_at is null or expires_at > %s)
        order by created_at desc, id desc
        """,  # noqa: S608
        [list(endpoint_ids), now],
    )
    return await cursor.fetchall()
