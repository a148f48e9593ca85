"""Documents as they stand, and moving them under their row's lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from kit.database import Database, Tx
from psycopg.rows import tuple_row
from psycopg.types.json import Json

from intake.domain.documents import Document, Item
from intake.domain.parties import Viewer

Stored = tuple[Document, bytes, bytes]
"""A document with the body and the receipt of its current version."""

COLUMNS = """
    document_id::text, reference, type, pack_version, state, revision, version, owner_organisation_id,
    submitter_organisation_id, mandate_id, submitted_at, updated_at, valid_until, items
"""
COLUMN_COUNT = 14

VISIBLE = """
    (
        %(sees_all)s
        or owner_organisation_id = %(organisation_id)s
        or submitter_organisation_id = %(organisation_id)s
        or exists (
            select 1 from document_readers
            where document_readers.document_id = documents.document_id and document_readers.agency = %(agency)s
        )
    )
"""


def _viewer(viewer: Viewer) -> dict[str, Any]:
    return {"sees_all": viewer.sees_all, "organisation_id": viewer.organisation_id, "agency": viewer.agency}


@asynccontextmanager
async def snapshot(db: Database) -> AsyncIterator[Tx]:
    """Several reads that agree with each other."""
    async with db.transaction() as tx:
        await tx.execute("set transaction isolation level repeatable read, read only")
        yield tx


async def find(tx: Tx, document_id: str, viewer: Viewer) -> Document | None:
    """None also for what the viewer may not know exists."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = %(id)s and {VISIBLE}",  # noqa: S608
        {"id": document_id, **_viewer(viewer)},
    )
    row = await cursor.fetchone()
    return Document(*row) if row else None


async def id_of(tx: Tx, reference: str) -> str | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select document_id::text from documents where reference = %s", [reference]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def read(tx: Tx, document_id: str, viewer: Viewer) -> Stored | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"""
        select {COLUMNS}, body::text, receipt
        from documents join document_versions using (document_id, version)
        where document_id = %(id)s and {VISIBLE}
        """,  # noqa: S608
        {"id": document_id, **_viewer(viewer)},
    )
    row = await cursor.fetchone()
    return _stored(row) if row else None


async def version_of(tx: Tx, document_id: str, version: int) -> tuple[bytes, bytes] | None:
    """Body and receipt of a version, if there is one."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select body::text, receipt from document_versions where document_id = %s and version = %s",
        [document_id, version],
    )
    row = await cursor.fetchone()
    return (row[0].encode(), row[1].encode()) if row else None


async def content(tx: Tx, document_id: str, version: int) -> tuple[bytes, bytes]:
    """Body and receipt of a version that is there."""
    found = await version_of(tx, document_id, version)
    assert found is not None  # noqa: S101 - a document has its versions
    return found


async def lock(tx: Tx, document_id: str) -> Document | None:
    """Whoever changes a document, its ledger or its timeline holds this first."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = %s for no key update",  # noqa: S608
        [document_id],
    )
    row = await cursor.fetchone()
    return Document(*row) if row else None


async def lock_all(tx: Tx, document_ids: Sequence[str]) -> dict[str, Document]:
    """Those that there are, locked in the order of their ids: two who lock several never wait for each other."""
    if not document_ids:
        return {}
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = any(%s::uuid[]) order by document_id for no key update",  # noqa: S608
        [list(document_ids)],
    )
    return {row[0]: Document(*row) for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Filter:
    type: str = ""
    state: str = ""
    query: str = ""


# Each branch walks one index from the newest down and stops at the limit; together they are the visibility rule.
LIST = f"""
with seen as (
    select document_id from ({{branches}}) as seen
    order by document_id desc
    limit %(limit)s
),
page as (
    select
        {COLUMNS}, body::text as body, receipt,
        sum(body_bytes) over (order by document_id desc) - body_bytes as before
    from seen
    join documents using (document_id)
    join document_versions using (document_id, version)
)
select * from page where before < %(bytes_max)s order by document_id desc
"""  # noqa: S608

BRANCH = """
    (
        select document_id from {source}
        where {whose}
            and document_id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            and (%(type)s = '' or type = %(type)s)
            and (%(state)s = '' or state = %(state)s)
            and (%(query)s = '' or strpos(reference, %(query)s) > 0)
        order by document_id desc
        limit %(limit)s
    )
"""
OWN = [
    BRANCH.format(source="documents", whose="owner_organisation_id = %(organisation_id)s"),
    BRANCH.format(
        source="documents",
        whose="submitter_organisation_id = %(organisation_id)s and submitter_organisation_id <> owner_organisation_id",
    ),
]
AGENCY = BRANCH.format(source="document_readers join documents using (document_id)", whose="agency = %(agency)s")
ALL = BRANCH.format(source="documents", whose="true")


async def list_newest_first(
    tx: Tx, viewer: Viewer, asked: Filter, before: str | None, limit: int, bytes_max: int
) -> list[Stored]:
    """At most `limit` documents, and no more than the one that passes `bytes_max` of bodies."""
    own = [*OWN, AGENCY] if viewer.agency else OWN
    branches = " union ".join([ALL] if viewer.sees_all else own)
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        LIST.format(branches=branches),
        {
            **_viewer(viewer),
            "type": asked.type,
            "state": asked.state,
            "query": asked.query,
            "before": before,
            "limit": limit,
            "bytes_max": bytes_max,
        },
    )
    return [_stored(row) for row in await cursor.fetchall()]


def _stored(row: Sequence[Any]) -> Stored:
    body, receipt = row[COLUMN_COUNT], row[COLUMN_COUNT + 1]
    return Document(*row[:COLUMN_COUNT]), body.encode(), receipt.encode()


ITEMS = """
    insert into timeline_items (
        document_id, seq, at, kind, from_state, to_state, event, actor, agency, step, due_at, reason_code, detail
    )
    select
        %(id)s, {first} + place, at, kind, from_state, to_state, event, actor, agency, step, due_at, reason_code, detail
    from unnest(
        %(at)s::timestamptz[], %(kind)s::text[], %(from_state)s::text[], %(to_state)s::text[], %(event)s::text[],
        %(actor)s::text[], %(agency)s::text[], %(step)s::text[], %(due_at)s::timestamptz[], %(reason_code)s::text[],
        %(detail)s::json[]
    ) with ordinality as item (
        at, kind, from_state, to_state, event, actor, agency, step, due_at, reason_code, detail, place
    )
"""

SAVE = f"""
with document as (
    update documents
    set state = %(state)s, revision = %(revision)s, version = %(version)s, updated_at = %(updated_at)s,
        valid_until = %(valid_until)s, expiry_due = %(valid_until)s, items = items + cardinality(%(at)s::timestamptz[])
    where document_id = %(id)s
)
{ITEMS.format(first="%(items)s")}
"""  # noqa: S608

NOTE = f"""
with document as (
    update documents
    set items = items + cardinality(%(at)s::timestamptz[])
    where document_id = %(id)s
    returning items - cardinality(%(at)s::timestamptz[]) as items
)
{ITEMS.format(first="(select items from document)")}
where exists (select 1 from document)
"""  # noqa: S608


async def save(tx: Tx, document: Document, items: Sequence[Item]) -> None:
    """The document was locked in this transaction; `items` are numbered on from what it had.

    Its validity is looked at afresh: what kept it from expiring may just have changed.
    """
    await tx.execute(
        SAVE,
        {
            "state": document.state,
            "revision": document.revision,
            "version": document.version,
            "updated_at": document.updated_at,
            "valid_until": document.valid_until,
            "items": document.items,
            **_items(document.id, items),
        },
    )


async def note(tx: Tx, document_id: str, items: Sequence[Item]) -> bool:
    """Adds to the timeline of a document that does not move; whether there is such a document."""
    cursor = await tx.execute(NOTE, _items(document_id, items))
    return cursor.rowcount > 0


@dataclass(frozen=True, slots=True)
class Change:
    """A locked document as it is to stand, `items` counted as before, and what its timeline gets.

    `is_looked_at`: what kept it from expiring may just have changed.
    """

    document: Document
    items: Sequence[Item]
    is_looked_at: bool

    @property
    def after(self) -> Document:
        return replace(self.document, items=self.document.items + len(self.items))


SAVE_ALL = """
with document as (
    update documents
    set state = after.state, revision = after.revision, version = after.version, updated_at = after.updated_at,
        valid_until = after.valid_until, items = after.items,
        expiry_due = case when after.is_looked_at then after.valid_until else documents.expiry_due end
    from unnest(
        %s::uuid[], %s::text[], %s::int[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::boolean[]
    ) as after (document_id, state, revision, version, updated_at, valid_until, items, is_looked_at)
    where documents.document_id = after.document_id
)
insert into timeline_items (
    document_id, seq, at, kind, from_state, to_state, event, actor, agency, step, due_at, reason_code, detail
)
select * from unnest(
    %s::uuid[], %s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::timestamptz[], %s::text[], %s::json[]
)
"""


async def save_all(tx: Tx, changes: Sequence[Change]) -> None:
    """The documents were locked in this transaction."""
    if not changes:
        return
    rows = [
        (
            *(one.after.id, one.after.state, one.after.revision, one.after.version, one.after.updated_at),
            *(one.after.valid_until, one.after.items, one.is_looked_at),
        )
        for one in changes
    ]
    lines = [
        (one.document.id, one.document.items + place, *_columns(item))
        for one in changes
        for place, item in enumerate(one.items, 1)
    ]
    await tx.execute(SAVE_ALL, [list(column) for table in (rows, lines) for column in zip(*table, strict=True)])


def _columns(item: Item) -> tuple[Any, ...]:
    told = (item.at, item.kind, item.from_state, item.to_state, item.event, item.actor, item.agency, item.step)
    return (*told, item.due_at, item.reason_code, None if item.detail is None else Json(item.detail))


def _items(document_id: str, items: Sequence[Item]) -> dict[str, Any]:
    return {
        "id": document_id,
        "at": [item.at for item in items],
        "kind": [item.kind for item in items],
        "from_state": [item.from_state for item in items],
        "to_state": [item.to_state for item in items],
        "event": [item.event for item in items],
        "actor": [item.actor for item in items],
        "agency": [item.agency for item in items],
        "step": [item.step for item in items],
        "due_at": [item.due_at for item in items],
        "reason_code": [item.reason_code for item in items],
        "detail": [None if item.detail is None else Json(item.detail) for item in items],
    }
