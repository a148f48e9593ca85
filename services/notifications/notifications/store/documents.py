"""Documents as their submissions told them, and the events that came before theirs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from kit import clock
from kit.database import Tx
from psycopg.rows import tuple_row

from notifications.domain.facts import Document, Said

COLUMNS = "document_id, reference, document_type, owner_organisation_id, submitter_organisation_id, pack_version"


async def save(tx: Tx, documents: Sequence[Document]) -> None:
    if not documents:
        return
    rows = [
        (one.id, one.reference, one.type, one.owner, one.submitter, one.pack_version)
        for one in sorted(documents, key=lambda one: one.id)
    ]
    await tx.execute(
        f"""
        insert into documents ({COLUMNS})
        select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
        on conflict (document_id) do update
        set reference = excluded.reference,
            document_type = excluded.document_type,
            owner_organisation_id = excluded.owner_organisation_id,
            submitter_organisation_id = excluded.submitter_organisation_id,
            pack_version = excluded.pack_version
        where documents.reference is null
        """,  # noqa: S608
        [list(column) for column in zip(*rows, strict=True)],
    )


async def known(tx: Tx, document_ids: Sequence[str]) -> dict[str, Document]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = any(%s) and reference is not null",  # noqa: S608
        [list(document_ids)],
    )
    return {row[0]: Document(*row) for row in await cursor.fetchall()}


async def expect(tx: Tx, document_ids: Sequence[str]) -> dict[str, Document]:
    """Those known by now: waits for whoever is saving them. The submission still to come of another finds our row."""
    if not document_ids:
        return {}
    await tx.execute(
        """
        insert into documents (document_id)
        select distinct id from unnest(%s::text[]) as expected (id)
        order by id
        on conflict do nothing
        """,
        [list(document_ids)],
    )
    return await known(tx, document_ids)


async def keep_waiting(tx: Tx, early: Sequence[Said]) -> None:
    if not early:
        return
    await tx.execute(
        """
        insert into waiting_events (event_id, document_id, type, fields, heard_at)
        select event_id, document_id, type, fields, %s
        from unnest(%s::uuid[], %s::text[], %s::text[], %s::json[]) as early (event_id, document_id, type, fields)
        on conflict do nothing
        """,
        [
            *(clock.now(), [said.event_id for said in early], [said.document_id for said in early]),
            *([said.type for said in early], [msgspec.json.encode(said.fields).decode() for said in early]),
        ],
    )


async def waiting(tx: Tx, document_ids: Sequence[str]) -> list[Said]:
    if not document_ids:
        return []
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select event_id::text, type, fields from waiting_events where document_id = any(%s) order by event_id",
        [list(document_ids)],
    )
    return [Said(*row) for row in await cursor.fetchall()]


async def forget_waiting(tx: Tx, document_ids: Sequence[str]) -> None:
    if document_ids:
        await tx.execute("delete from waiting_events where document_id = any(%s)", [list(document_ids)])
