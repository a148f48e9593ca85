"""What is known of each file, who brought it, which documents refer to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.attachments import Attachment, Standing
from intake.domain.parties import Viewer
from intake.store.documents import VISIBLE

COLUMNS = "sha256, media_type, size_bytes, state, stored_at"

READABLE = f"""
    (
        exists (
            select 1 from attachment_holders
            where attachment_holders.sha256 = attachments.sha256
                and attachment_holders.organisation_id = %(organisation_id)s
        )
        or exists (
            select 1 from attachment_references join documents using (document_id)
            where attachment_references.sha256 = attachments.sha256 and {VISIBLE}
        )
    )
"""  # noqa: S608


async def keep(tx: Tx, attachment: Attachment, organisation_id: str, actor: str) -> Attachment:
    """As it stands: a file that was here before keeps what was found of it."""
    await tx.execute(
        """
        insert into attachments (sha256, media_type, size_bytes, state, stored_at)
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(attachment.sha256, attachment.media_type, attachment.size_bytes),
            *(str(attachment.state), attachment.stored_at),
        ],
    )
    await tx.execute(
        """
        insert into attachment_holders (organisation_id, sha256, stored_by, stored_at)
        values (%s, %s, %s, %s)
        on conflict do nothing
        """,
        [organisation_id, attachment.sha256, actor, attachment.stored_at],
    )
    return (await _found(tx, "sha256 = %(sha256)s", {"sha256": attachment.sha256}))[0]


async def find(tx: Tx, sha256: str, viewer: Viewer) -> Attachment | None:
    """None also for what the viewer may not know exists."""
    found = await _found(tx, f"sha256 = %(sha256)s and {READABLE}", {"sha256": sha256, **_viewer(viewer)})
    return found[0] if found else None


async def usable(tx: Tx, sha256s: Collection[str], viewer: Viewer) -> frozenset[str]:
    """Those that the viewer may read and that no virus was found in."""
    asked = {"sha256s": list(sha256s), **_viewer(viewer)}
    found = await _found(tx, f"sha256 = any(%(sha256s)s) and state <> 'INFECTED' and {READABLE}", asked)
    return frozenset(one.sha256 for one in found)


async def referring(tx: Tx, sha256: str, viewer: Viewer, limit: int) -> list[str]:
    """The newest documents that refer to it and that the viewer may see."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"""
        select document_id::text
        from attachment_references join documents using (document_id)
        where sha256 = %(sha256)s and {VISIBLE}
        order by document_id desc
        limit %(limit)s
        """,  # noqa: S608
        {"sha256": sha256, "limit": limit, **_viewer(viewer)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def pending(tx: Tx, limit: int) -> Sequence[Attachment]:
    """Those that have waited longest."""
    return await _found(tx, "state = 'PENDING' order by stored_at limit %(limit)s", {"limit": limit})


async def judge(tx: Tx, sha256: str, state: Standing, finding: str, at: datetime) -> None:
    await tx.execute(
        """
        update attachments
        set state = %s, finding = %s, judged_at = %s
        where sha256 = %s and state = 'PENDING'
        """,
        [str(state), finding, at, sha256],
    )


async def refer(tx: Tx, references: Sequence[tuple[str, str]]) -> None:
    """Pairs of document and hash; the hashes are known."""
    await tx.execute(
        """
        insert into attachment_references (document_id, sha256)
        select * from unnest(%s::uuid[], %s::text[])
        on conflict do nothing
        """,
        [[document_id for document_id, _ in references], [sha256 for _, sha256 in references]],
    )


async def _found(tx: Tx, which: str, values: dict[str, Any]) -> Sequence[Attachment]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        f"select {COLUMNS} from attachments where {which}",  # noqa: S608
        values,
    )
    return [Attachment(row[0], row[1], row[2], Standing(row[3]), row[4]) for row in await cursor.fetchall()]


def _viewer(viewer: Viewer) -> dict[str, Any]:
    return {"sees_all": viewer.sees_all, "organisation_id": viewer.organisation_id, "agency": viewer.agency}
