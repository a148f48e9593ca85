"""Conditions on documents' approvals, and the goods that were let go under them; under the document's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import tuple_row
from psycopg.types.json import Json

from intake.domain.conditions import Condition, ConditionState

COLUMNS = """
    condition_id, document_id::text, task_id, agency, step, code, parameters, remarks, blocks, met_by, imposed_by,
    imposed_at, state, met_by_whom, met_at, evidence
"""
SHOWN_MAX = 500


async def of_document(tx: Tx, document_id: str) -> list[Condition]:
    """In the order they were set."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"""
        select {COLUMNS}
        from document_conditions
        where document_id = %s
        order by imposed_at, condition_id
        limit %s
        """,  # noqa: S608
        [document_id, SHOWN_MAX],
    )
    return [_read(row) for row in await cursor.fetchall()]


async def impose(tx: Tx, condition: Condition) -> None:
    await tx.execute(
        """
        insert into document_conditions (
            condition_id, document_id, task_id, agency, step, code, parameters, remarks, blocks, met_by, imposed_by,
            imposed_at, state
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(condition.id, condition.document_id, condition.task_id, condition.agency, condition.step),
            *(condition.code, Json(condition.parameters), condition.remarks, condition.blocks, condition.met_by),
            *(condition.imposed_by, condition.imposed_at, str(condition.state)),
        ],
    )


async def meet(tx: Tx, condition_id: str, whom: str, at: datetime, evidence: Mapping[str, Any]) -> None:
    await tx.execute(
        """
        update document_conditions
        set state = 'SATISFIED', met_by_whom = %s, met_at = %s, evidence = %s
        where condition_id = %s and state = 'OPEN'
        """,
        [whom, at, Json(evidence), condition_id],
    )


async def release(
    tx: Tx, document_id: str, declaration: tuple[str, str], at: datetime, conditions_met: Sequence[str]
) -> None:
    """`declaration` by its number and by the document that mirrors it."""
    number, mirror = declaration
    await tx.execute(
        """
        insert into releases (
            document_id, declaration_number, declaration_document_id, released_at, conditions_met
        )
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [document_id, number, mirror, at, list(conditions_met)],
    )


def _read(row: Sequence[Any]) -> Condition:
    fields: list[Any] = [*row[:12], ConditionState(row[12]), *row[13:15], row[15] or {}]
    return Condition(*fields)
