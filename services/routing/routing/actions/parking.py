"""A sweep goes on past a document that fails: it is undone by itself, left alone for a while, and tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
from kit import telemetry
from kit.database import Tx
from prometheus_client import Counter

# How long a document that failed is left alone, so that it keeps nobody waiting.
PARKED_S = 600.0

PARKED_TOTAL = Counter(
    "portolan_parked_total",
    "Documents that a sweep could not deal with and tries again later. Any at all: read the log, and mend them.",
    ["sweep"],
)
Park = Callable[[Tx, str, datetime], Awaitable[None]]
T = TypeVar("T")


async def apart(
    tx: Tx, sweep: str, document_id: str, now: datetime, work: Callable[[], Awaitable[T]], park: Park
) -> T | None:
    """In a savepoint of its own; None where it failed. Raises only when the database itself is not there."""
    try:
        async with tx.transaction():
            return await work()
    except psycopg.OperationalError:
        raise
    except Exception:  # whatever is wrong with one document is not wrong with the others
        telemetry.log().exception("document_parked", sweep=sweep, document_id=document_id, again_after_s=PARKED_S)
        PARKED_TOTAL.labels(sweep).inc()
        await park(tx, document_id, now + timedelta(seconds=PARKED_S))
        return None
