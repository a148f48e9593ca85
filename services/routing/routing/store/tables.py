"""Published and proposed rule tables, and what their replays found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from kit.database import Tx
from kit.errors import Invalid, NotFound, Refused
from packs.model import Rule
from packs.tables import as_written
from psycopg.errors import CheckViolation, UniqueViolation
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Json

from routing.domain import Changed, Latest, RuleTable, TableState

# Who publishes holds it until the end: tables are numbered one after another.
PUBLISHING_LOCK = 7_301_002
# One replay at a time, of whatever table: each judges thousands of cases.
REPLAYING_LOCK = 7_301_003
COLUMNS = """
    id, pack_version, based_on, rules::text as rules, effective_from, note, changes::text as changes,
    warnings::text as warnings, proposed_by, proposed_at,
    state, replay::text as replay, published_by, published_at, in_force_from, sequence, withdrawn_by
"""


async def published_rules(tx: Tx, pack_version: str, table_id: str) -> tuple[Rule, ...] | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select rules::text from rule_tables where id = %s and pack_version = %s and state = 'PUBLISHED'",
        [table_id, pack_version],
    )
    row = await cursor.fetchone()
    return msgspec.json.decode(row[0], type=tuple[Rule, ...]) if row else None


async def latest(tx: Tx, pack_version: str) -> Latest:
    """The table last published for this pack, whether it is in force yet or not."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select
            coalesce((
                select id from rule_tables where state = 'PUBLISHED' and pack_version = %s
                order by sequence desc limit 1
            ), ''),
            coalesce((select max(sequence) from rule_tables), 0),
            (
                select in_force_from from rule_tables where state = 'PUBLISHED' and pack_version = %s
                order by sequence desc limit 1
            )
        """,
        [pack_version, pack_version],
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - it has no condition
    return Latest(pack_version, row[0], row[1], row[2])


async def begin_publishing(tx: Tx) -> None:
    await tx.execute("select pg_advisory_xact_lock(%s)", [PUBLISHING_LOCK])


async def begin_replaying(tx: Tx) -> bool:
    """Whether nobody else replays now."""
    cursor = await tx.cursor(row_factory=tuple_row).execute("select pg_try_advisory_xact_lock(%s)", [REPLAYING_LOCK])
    row = await cursor.fetchone()
    return bool(row and row[0])


async def has_past(tx: Tx) -> bool:
    """Whether there is any case to replay."""
    cursor = await tx.execute("select 1 from cases limit 1")
    return await cursor.fetchone() is not None


async def propose(tx: Tx, table: RuleTable, request_id: str, fingerprint: str) -> RuleTable:
    """The same request again answers what it was answered. Raises Invalid for a key used otherwise."""
    values = [
        *(table.id, table.pack_version, table.based_on, rules_json(table.rules), table.effective_from, table.note),
        *(
            Json(table.changes),
            Json(list(table.warnings)),
            table.proposed_by,
            table.proposed_at,
            request_id,
            fingerprint,
            table.state,
        ),
    ]
    cursor = await tx.execute(
        """
        insert into rule_tables (
            id, pack_version, based_on, rules, effective_from, note, changes, warnings, proposed_by, proposed_at,
            request_id, fingerprint, state
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (proposed_by, request_id) do nothing
        """,
        values,
    )
    return table if cursor.rowcount else await _earlier(tx, table.proposed_by, request_id, fingerprint)


async def _earlier(tx: Tx, person: str, request_id: str, fingerprint: str) -> RuleTable:
    found = await _one(
        tx, "proposed_by = %s and request_id = %s and fingerprint = %s", [person, request_id, fingerprint]
    )
    if found is None:
        raise Invalid("IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used for another request")
    return found


async def table(tx: Tx, table_id: str, *, locked: bool = False) -> RuleTable:
    found = await _one(tx, "id = %s" + (" for update" if locked else ""), [table_id])
    if found is None:
        raise NotFound("NOT_FOUND")
    return found


async def page(tx: Tx, before: str, limit: int) -> list[RuleTable]:
    """Newest first; ids are in the order of time."""
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"select {COLUMNS} from rule_tables where id < %s order by id desc limit %s",  # noqa: S608 - our own columns
        [before, limit],
    )
    return [_table(row) for row in await cursor.fetchall()]


async def save(tx: Tx, after: RuleTable) -> None:
    try:
        await tx.execute(
            """
            update rule_tables set
                state = %s, published_by = %s, published_at = %s, in_force_from = %s, sequence = %s, withdrawn_by = %s
            where id = %s
            """,
            [
                *(after.state, after.published_by or None, after.published_at, after.in_force_from),
                *(after.sequence or None, after.withdrawn_by or None, after.id),
            ],
        )
    except CheckViolation as error:
        raise Refused("FOUR_EYES", "another person than the proposer must publish") from error
    except UniqueViolation as error:
        raise Refused("RULES_MOVED_ON", "other rules were published at the same moment") from error


async def save_replay(tx: Tx, table_id: str, replay: dict[str, Any], changed: Sequence[Changed]) -> None:
    await tx.execute("delete from replayed_documents where table_id = %s", [table_id])
    await tx.cursor().executemany(
        """
        insert into replayed_documents (table_id, position, document_id, reference, document_type, before, after)
        values (%s, %s, %s, %s, %s, %s, %s)
        """,
        [
            [
                *(table_id, position, one.document_id, one.reference, one.document_type),
                *(Json(one.before.plain), Json(one.after.plain)),
            ]
            for position, one in enumerate(changed)
        ],
    )
    await tx.execute("update rule_tables set replay = %s where id = %s", [Json(replay), table_id])


async def replayed(tx: Tx, table_id: str, after: int, limit: int) -> list[dict[str, Any]]:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        """
        select position, document_id, reference, document_type, before, after
        from replayed_documents
        where table_id = %s and position > %s
        order by position
        limit %s
        """,
        [table_id, after, limit],
    )
    return await cursor.fetchall()


async def _one(tx: Tx, condition: str, values: list[Any]) -> RuleTable | None:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"select {COLUMNS} from rule_tables where {condition}",  # noqa: S608 - our own conditions
        values,
    )
    row = await cursor.fetchone()
    return None if row is None else _table(row)


def rules_json(rules: tuple[Rule, ...]) -> str:
    return msgspec.json.encode([as_written(rule) for rule in rules]).decode()


def _table(row: dict[str, Any]) -> RuleTable:
    return RuleTable(
        id=row["id"],
        pack_version=row["pack_version"],
        based_on=row["based_on"],
        rules=msgspec.json.decode(row["rules"], type=tuple[Rule, ...]),
        effective_from=row["effective_from"],
        note=row["note"],
        changes=msgspec.json.decode(row["changes"]),
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        warnings=tuple(msgspec.json.decode(row["warnings"])),
        state=TableState(row["state"]),
        replay=msgspec.json.decode(row["replay"]) if row["replay"] else None,
        published_by=row["published_by"] or "",
        published_at=row["published_at"],
        in_force_from=row["in_force_from"],
        sequence=row["sequence"] or 0,
        withdrawn_by=row["withdrawn_by"] or "",
    )
