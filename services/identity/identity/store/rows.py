"""Rows to domain values: arrays become tuples, names are the columns'."""

from collections.abc import Sequence
from typing import Any, TypeVar

from kit.database import Tx
from psycopg.rows import dict_row

T = TypeVar("T")


async def one(tx: Tx, kind: type[T], query: str, values: Sequence[Any]) -> T | None:
    found = await many(tx, kind, query, values)
    return found[0] if found else None


async def many(tx: Tx, kind: type[T], query: str, values: Sequence[Any]) -> list[T]:
    cursor = await tx.cursor(row_factory=dict_row).execute(query, values)
    return [kind(**{name: _value(value) for name, value in row.items()}) for row in await cursor.fetchall()]


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
