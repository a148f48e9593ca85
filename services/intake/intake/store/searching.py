"""Documents by the beginning of a number they bear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.documents import Document
from intake.domain.parties import Viewer
from intake.store.documents import COLUMN_COUNT, COLUMNS, VISIBLE

CANDIDATES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """`matches`: kind and key of what fitted."""

    document: Document
    matches: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Hits:
    found: Sequence[Found]
    left_off: bool


NORMAL = "regexp_replace(upper({column}), '[^0-9A-Z]', '', 'g')"
REFERENCE, DECLARATION = NORMAL.format(column="reference"), NORMAL.format(column="declaration_number")

# Each branch walks one index of keys from where the query begins, and stops at the limit.
# A document also answers to the references of the documents it refers to.
SEARCH = f"""
with referenced as (
    select document_id, {REFERENCE} as key
    from documents
    where {REFERENCE} like %(prefix)s
    order by {REFERENCE} using ~<~, document_id
    limit %(candidates)s
),
keyed as (
    select document_id, kind, key
    from search_keys join documents using (document_id, version)
    where key like %(prefix)s
    order by key using ~<~, document_id
    limit %(candidates)s
),
imputed as (
    select document_id, {DECLARATION} as key
    from imputations
    where {DECLARATION} like %(prefix)s
    order by {DECLARATION} using ~<~, document_id
    limit %(candidates)s
),
linked as (
    select document_links.document_id, document_links.kind, referenced.key
    from referenced
    join document_links on target_document_id = referenced.document_id
    join documents on documents.document_id = document_links.document_id
        and documents.version = document_links.version
    order by document_links.document_id desc
    limit %(candidates)s
),
candidates as (
    select document_id, 'reference' as kind, key from referenced
    union select document_id, kind, key from keyed
    union select document_id, 'declaration', key from imputed
    union select document_id, kind, key from linked
),
fitting as (
    select document_id, array_agg(array[kind, key] order by kind, key) as matches
    from candidates
    group by document_id
)
select {COLUMNS}, matches
from fitting join documents using (document_id)
where {VISIBLE} and document_id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by document_id desc
limit %(limit)s
"""  # noqa: S608

COUNTS = f"""
select greatest(
    (select count(*) from (select from documents where {REFERENCE} like %(prefix)s limit %(candidates)s) as found),
    (select count(*) from (select from search_keys where key like %(prefix)s limit %(candidates)s) as found),
    (select count(*) from (select from imputations where {DECLARATION} like %(prefix)s limit %(candidates)s) as found)
)
"""  # noqa: S608


async def hits(tx: Tx, key: str, viewer: Viewer, before: str | None, limit: int) -> Hits:
    """Newest first, of the first `CANDIDATES_MAX` that fit in each way of being found."""
    asked = {
        **{"prefix": f"{key}%", "candidates": CANDIDATES_MAX, "before": before, "limit": limit},
        **{"sees_all": viewer.sees_all, "organisation_id": viewer.organisation_id, "agency": viewer.agency},
    }
    rows = await tx.cursor(row_factory=tuple_row).execute(SEARCH, asked)
    found = [Found(Document(*row[:COLUMN_COUNT]), [tuple(one) for one in row[COLUMN_COUNT]]) async for row in rows]
    counted = await (await tx.cursor(row_factory=tuple_row).execute(COUNTS, asked)).fetchone()
    return Hits(found, left_off=counted is not None and counted[0] >= CANDIDATES_MAX)
