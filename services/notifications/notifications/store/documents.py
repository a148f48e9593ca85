"""Documents as their submissions told them, and the events that came before theirs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from kit import clock
from kit.database import Tx
from psycopg.rows import tuple_row

from notifications.domain.facts import Document, Said

COLUMNS = "document_id, reference, document_type, owner_organisation_id, submitter_organisation_id, pack_version"


async def save(tx: Tx, document: Document) -> None:
    await tx.execute(
        f"""
        insert into documents ({COLUMNS})
        values (%s, %s, %s, %s, %s, %s)
        on conflict (document_id) do update
        set reference = excluded.reference,
            document_type = excluded.document_type,
            owner_organisation_id = excluded.owner_organisation_id,
            submitter_organisation_id = excluded.submitter_organisation_id,
            pack_version = excluded.pack_version
        where documents.reference is null
        """,  # noqa: S608
        [
            *(document.id, document.reference, document.type),
            *(document.owner, document.submitter, document.pack_version),
        ],
    )


async def known(tx: Tx, document_ids: Sequence[str]) -> dict[str, Document]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = any(%s) and reference is not null",  # noqa: S608
        [list(document_ids)],
    )
    return {row[0]: Document(*row) for row in await cursor.fetchall()}


async def expect(tx: Tx, document_id: str) -> Document | None:
    """Waits for whoever is saving the document now; None when its submission is still to come, which finds our row."""
    await tx.execute("insert into documents (document_id) values (%s) on conflict do nothing", [document_id])
    return (await known(tx, [document_id])).get(document_id)


async def keep_waiting(tx: Tx, said: Said) -> None:
    await tx.execute(
        """
        insert into waiting_events (event_id, document_id, type, fields, heard_at)
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [said.event_id, said.document_id, said.type, msgspec.json.encode(said.fields).decode(), clock.now()],
    )


async def waiting(tx: Tx, document_ids: Sequence[str]) -> list[Said]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select event_id::text, type, fields from waiting_events where document_id = any(%s) order by event_id",
        [list(document_ids)],
    )
    return [Said(*row) for row in await cursor.fetchall()]


async def forget_waiting(tx: Tx, document_id: str) -> None:
    await tx.execute("delete from waiting_events where document_id = %s", [document_id])
