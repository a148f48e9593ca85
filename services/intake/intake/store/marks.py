"""Values that no two documents of a type bear at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.database import Tx


async def hold(tx: Tx, document_type: str, marks: Mapping[str, str]) -> None:
    """Whoever looks at these values, or takes them, waits for whoever did so first."""
    for place, value in sorted(marks.items()):
        await tx.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{document_type}{place}{value}"])


async def put(tx: Tx, document_id: str, document_type: str, marks: Mapping[str, str]) -> None:
    await tx.execute("delete from document_marks where document_id = %s", [document_id])
    for place, value in marks.items():
        await tx.execute(
            "insert into document_marks (document_id, place, document_type, value) values (%s, %s, %s, %s)",
            [document_id, place, document_type, value],
        )


async def taken(
    tx: Tx, document_type: str, marks: Mapping[str, str], owner: str, states: Sequence[str]
) -> frozenset[str]:
    """The places at which another owner's document, in one of these states, has the same."""
    found = [place for place, value in marks.items() if await _is_taken(tx, document_type, place, value, owner, states)]
    return frozenset(found)


async def _is_taken(tx: Tx, document_type: str, place: str, value: str, owner: str, states: Sequence[str]) -> bool:
    cursor = await tx.execute(
        """
        select 1
        from document_marks join documents using (document_id)
        where document_type = %s and place = %s and md5(value) = md5(%s) and value = %s
          and owner_organisation_id <> %s and state = any(%s)
        limit 1
        """,
        [document_type, place, value, value, owner, list(states)],
    )
    return await cursor.fetchone() is not None
