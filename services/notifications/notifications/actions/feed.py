"""The caller's organisation reads its feed."""

from __future__ import annotations

from collections.abc import Sequence

from kit import clock, pages
from kit.auth import Principal
from kit.database import Database
from kit.errors import NotFound
from kit.ids import is_identifier

from notifications.domain.deliveries import Delivery
from notifications.store import deliveries as store


async def list_notifications(
    db: Database, caller: Principal, document_id: str, cursor: str, limit: int, hidden_rules: Sequence[str] = ()
) -> tuple[list[Delivery], str]:
    filters = {"list": "notifications", "organisation": caller.organisation_id, "document": document_id}
    position = pages.decode(cursor, filters, tuple[str])
    if document_id and not is_identifier(document_id):
        return [], ""
    before, wanted = (position[0] if position else None), pages.limit(limit)
    async with db.connection() as connection:
        found = await store.feed(connection, caller.organisation_id, document_id, hidden_rules, before, wanted + 1)
    more = len(found) > wanted
    return found[:wanted], pages.encode(filters, [found[wanted - 1].id]) if more else ""


async def mark_read(db: Database, caller: Principal, notification_id: str) -> Delivery:
    """Raises NotFound for what is not in the caller's feed."""
    read = None
    if is_identifier(notification_id):
        async with db.transaction() as tx:
            read = await store.mark_read(tx, caller.organisation_id, notification_id, clock.now())
    if read is None:
        raise NotFound("NOT_FOUND")
    return read
