"""Links between documents, and the numbers documents are found by; both belong to a version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from kit.database import Tx
from psycopg.rows import class_row, tuple_row

from intake.domain.documents import Document
from intake.domain.graphs import Edge
from intake.domain.parties import Viewer
from intake.domain.relations import Link, SearchKey, Target
from intake.store.documents import COLUMNS, VISIBLE


@dataclass(frozen=True, slots=True)
class Related:
    """What one version of a document brings."""

    document_id: str
    version: int
    links: Sequence[Link]
    keys: Sequence[SearchKey]


async def add(tx: Tx, related: Sequence[Related]) -> None:
    """Nothing is asked of the database for documents that have neither."""
    links = [(one, link) for one in related for link in one.links]
    keys = [(one, key) for one in related for key in one.keys]
    if links:
        await tx.execute(
            """
            insert into document_links (document_id, version, kind, target_document_id, target_version, carried)
            select * from unnest(%s::uuid[], %s::int[], %s::text[], %s::uuid[], %s::int[], %s::json[])
            """,
            [
                *_versions([one for one, _ in links]),
                *_columns([(link.kind, link.target_document_id) for _, link in links]),
                [link.target_version for _, link in links],
                [msgspec.json.encode(link.carried).decode() for _, link in links],
            ],
        )
    if keys:
        await tx.execute(
            """
            insert into search_keys (document_id, version, kind, key)
            select * from unnest(%s::uuid[], %s::int[], %s::text[], %s::text[])
            """,
            [*_versions([one for one, _ in keys]), *_columns([(k.kind, k.key) for _, k in keys])],
        )


def _versions(related: Sequence[Related]) -> list[list[Any]]:
    return [[one.document_id for one in related], [one.version for one in related]]


def _columns(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [[kind for kind, _ in pairs], [value for _, value in pairs]]


async def targets(tx: Tx, ids: Collection[str], references: Collection[str], viewer: Viewer) -> list[Target]:
    """Of the documents so named, those that the viewer may see."""
    cursor = await tx.cursor(row_factory=class_row(Target)).execute(
        f"""
        select document_id::text as id, reference, type, version
        from documents
        where (document_id = any(%(ids)s::uuid[]) or reference = any(%(references)s)) and {VISIBLE}
        """,  # noqa: S608
        {"ids": list(ids), "references": list(references), **_viewer(viewer)},
    )
    return await cursor.fetchall()


async def visible(tx: Tx, ids: Collection[str], viewer: Viewer) -> list[Document]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from documents where document_id = any(%(ids)s::uuid[]) and {VISIBLE}",  # noqa: S608
        {"ids": list(ids), **_viewer(viewer)},
    )
    return [Document(*row) for row in await cursor.fetchall()]


async def by_id(tx: Tx, document_id: str) -> Document | None:
    """Whoever asks: the asker already knows of it."""
    found = await visible(tx, [document_id], Viewer("", "", sees_all=True))
    return found[0] if found else None


async def carried(tx: Tx, document_id: str, version: int) -> list[tuple[Target, list[list[str]]]]:
    """The documents a version has values from, each as it stood, with the pointers of both."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select target_document_id::text, reference, type, target_version, carried
        from document_links join documents on documents.document_id = target_document_id
        where document_links.document_id = %s and document_links.version = %s
        order by document_links.kind, target_document_id
        """,
        [document_id, version],
    )
    return [(Target(*row[:4]), row[4]) for row in await cursor.fetchall()]


async def edges(tx: Tx, ids: Collection[str], limit: int) -> list[Edge]:
    """Both ways, of the versions in effect."""
    cursor = await tx.cursor(row_factory=class_row(Edge)).execute(
        """
        select kind, document_id::text as source, target_document_id::text as target
        from document_links join documents using (document_id, version)
        where document_id = any(%(ids)s::uuid[]) or target_document_id = any(%(ids)s::uuid[])
        order by document_id, kind, target_document_id
        limit %(limit)s
        """,
        {"ids": list(ids), "limit": limit},
    )
    return await cursor.fetchall()


def _viewer(viewer: Viewer) -> dict[str, Any]:
    return {"sees_all": viewer.sees_all, "organisation_id": viewer.organisation_id, "agency": viewer.agency}


async def targets_of(tx: Tx, document_id: str, version: int) -> list[Target]:
    cursor = await tx.cursor(row_factory=class_row(Target)).execute(
        """
        select distinct documents.document_id::text as id, reference, type
        from document_links join documents on documents.document_id = target_document_id
        where document_links.document_id = %s and document_links.version = %s
        """,
        [document_id, version],
    )
    return await cursor.fetchall()
