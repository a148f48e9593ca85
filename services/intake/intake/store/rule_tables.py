"""The rule tables that were published."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from kit.database import Tx
from packs.model import Rule
from psycopg.rows import tuple_row

from intake.domain.rulebook import PublishedTable


async def keep(tx: Tx, table: PublishedTable, rules_json: bytes, published_at: datetime) -> None:
    await tx.execute(
        """
        insert into rule_tables (table_id, pack_version, sequence, rules, in_force_from, published_at)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (table_id) do nothing
        """,
        [table.id, table.pack_version, table.sequence, rules_json.decode(), table.in_force_from, published_at],
    )


async def all_but(tx: Tx, known: Collection[str]) -> list[PublishedTable]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select table_id, pack_version, sequence, in_force_from, rules::text
        from rule_tables
        where table_id <> all(%s::text[])
        """,
        [list(known)],
    )
    found = await cursor.fetchall()
    return [PublishedTable(name, pack, number, moment, rules_of(rules)) for name, pack, number, moment, rules in found]


def rules_of(rules_json: bytes | str) -> tuple[Rule, ...]:
    return msgspec.json.decode(rules_json, type=tuple[Rule, ...])
