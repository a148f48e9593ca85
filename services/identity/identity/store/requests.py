"""What was asked under which request id, remembered in the transaction that did it."""

from dataclasses import dataclass
from datetime import datetime

from kit.database import Tx
from psycopg.rows import tuple_row


@dataclass(frozen=True, slots=True)
class Request:
    """`scope` is the caller's organisation: two organisations may choose the same id."""

    scope: str
    id: str
    action: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Earlier:
    action: str
    fingerprint: bytes
    answer_id: str


async def claim(tx: Tx, request: Request, answer_id: str, at: datetime) -> Earlier | None:
    """None when the id is new; it is taken from now on. Waits for a concurrent request with the same id."""
    cursor = await tx.execute(
        """
        insert into requests (scope, request_id, action, fingerprint, answer_id, made_at)
        values (%s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [request.scope, request.id, request.action, request.fingerprint, answer_id, at],
    )
    return None if cursor.rowcount == 1 else await _earlier(tx, request)


async def _earlier(tx: Tx, request: Request) -> Earlier:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select action, fingerprint, answer_id from requests where scope = %s and request_id = %s",
        [request.scope, request.id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("a request id is taken and yet unknown")
    return Earlier(*row)
