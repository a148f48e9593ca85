"""Drafts: found by whoever they belong to, changed under their revision, tied to one document at most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.database import Tx
from psycopg.rows import dict_row, tuple_row

from intake.domain.drafts import Draft, Origin, PriceLock, Source, encoded

COLUMNS = """
    draft_id::text, drafts.type, drafts.owner_organisation_id, writer_organisation_id, written_by, label, is_template,
    body::text, copied_from, copied_reference, drafts.revision, created_at, drafts.updated_at, fingerprint,
    price_version, price_locked_until,
    coalesce(document_id::text, '') as document_id, coalesce(reference, '') as reference
"""
THEIRS = "%(organisation_id)s in (drafts.owner_organisation_id, writer_organisation_id)"


@dataclass(frozen=True, slots=True)
class Filter:
    type: str = ""
    templates_only: bool = False


async def hold_number(tx: Tx, organisation_id: str) -> int:
    """How many open drafts the organisation has written; nobody adds one until the transaction ends."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('drafts ' || %s, 0))", [organisation_id])
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select count(*) from drafts where writer_organisation_id = %s and document_id is null", [organisation_id]
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def add(tx: Tx, draft: Draft, idempotency_key: str, fingerprint: bytes) -> bool:
    """False when the key was used before."""
    source = draft.copied_from or Source("")
    cursor = await tx.execute(
        """
        insert into drafts (
            draft_id, type, owner_organisation_id, writer_organisation_id, written_by, label, is_template, body,
            copied_from, copied_reference, created_at, updated_at, idempotency_key, fingerprint, price_version,
            price_locked_until
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [
            *(draft.id, draft.type, draft.owner_organisation_id, draft.writer_organisation_id, draft.written_by),
            *(draft.label, draft.is_template, encoded(draft.body).decode(), source.id, source.reference),
            *(draft.created_at, draft.updated_at, idempotency_key or None, fingerprint),
            *_price_lock(draft.price_lock),
        ],
    )
    return cursor.rowcount > 0


def _price_lock(held: PriceLock | None) -> tuple[str, datetime | None]:
    return (held.version, held.until) if held else ("", None)


async def by_key(tx: Tx, organisation_id: str, idempotency_key: str) -> tuple[Draft, bytes] | None:
    """The draft that this key made, and the fingerprint of what it was made from."""
    if not idempotency_key:
        return None
    found = await _rows(
        tx,
        "writer_organisation_id = %(organisation_id)s and idempotency_key = %(key)s",
        {"organisation_id": organisation_id, "key": idempotency_key},
    )
    return (_draft(found[0]), bytes(found[0]["fingerprint"])) if found else None


async def find(tx: Tx, draft_id: str, organisation_id: str) -> Draft | None:
    wanted = {"draft_id": draft_id, "organisation_id": organisation_id}
    found = await _rows(tx, f"draft_id = %(draft_id)s and {THEIRS}", wanted)
    return _draft(found[0]) if found else None


async def lock(tx: Tx, draft_id: str, organisation_id: str) -> Draft | None:
    wanted = {"draft_id": draft_id, "organisation_id": organisation_id}
    found = await _rows(tx, f"draft_id = %(draft_id)s and {THEIRS}", wanted, "for update of drafts")
    return _draft(found[0]) if found else None


async def newest_first(tx: Tx, organisation_id: str, asked: Filter, before: str | None, limit: int) -> list[Draft]:
    found = await _rows(
        tx,
        f"""
        {THEIRS}
        and (%(before)s::uuid is null or draft_id < %(before)s::uuid)
        and (%(type)s = '' or drafts.type = %(type)s)
        and (not %(templates_only)s or is_template)
        """,
        {
            **{"organisation_id": organisation_id, "before": before, "limit": limit},
            **{"type": asked.type, "templates_only": asked.templates_only},
        },
        "order by draft_id desc limit %(limit)s",
    )
    return [_draft(row) for row in found]


async def save(tx: Tx, draft: Draft) -> None:
    await tx.execute(
        """
        update drafts
        set owner_organisation_id = %s, label = %s, is_template = %s, body = %s, revision = %s, updated_at = %s
        where draft_id = %s
        """,
        [
            *(draft.owner_organisation_id, draft.label, draft.is_template, encoded(draft.body).decode()),
            *(draft.revision, draft.updated_at, draft.id),
        ],
    )


async def delete(tx: Tx, draft_id: str) -> None:
    await tx.execute("delete from drafts where draft_id = %s", [draft_id])


async def submitted(tx: Tx, submissions: Sequence[tuple[Origin, str]], at: datetime) -> bool:
    """Ties each draft to its document. False when one has changed, gone, or become another document meanwhile."""
    ordered = sorted(submissions, key=lambda one: one[0].draft_id)
    ids = [origin.draft_id for origin, _ in ordered]
    await tx.execute("select from drafts where draft_id = any(%s::uuid[]) order by draft_id for update", [ids])
    cursor = await tx.execute(
        """
        update drafts
        set document_id = asked.document_id, revision = drafts.revision + 1, updated_at = %s
        from unnest(%s::uuid[], %s::int[], %s::uuid[]) as asked (draft_id, revision, document_id)
        where drafts.draft_id = asked.draft_id
            and drafts.revision = asked.revision
            and drafts.document_id is null
        """,
        [at, ids, [origin.revision for origin, _ in ordered], [document_id for _, document_id in ordered]],
    )
    return cursor.rowcount == len(ordered)


async def sweep(tx: Tx, untouched_since: datetime, limit: int) -> int:
    """Forgets drafts that nobody touched for long; templates are kept until somebody deletes them."""
    cursor = await tx.execute(
        """
        delete from drafts
        where draft_id in (
            select draft_id from drafts
            where updated_at < %s and not is_template
            order by updated_at
            limit %s
            for update skip locked
        )
        """,
        [untouched_since, limit],
    )
    return cursor.rowcount


async def _rows(tx: Tx, condition: str, wanted: Mapping[str, object], rest: str = "") -> list[dict[str, Any]]:
    cursor = await tx.cursor(row_factory=dict_row).execute(
        f"""
        select {COLUMNS}
        from drafts left join documents using (document_id)
        where {condition}
        {rest}
        """.encode(),  # noqa: S608
        wanted,
    )
    return await cursor.fetchall()


def _draft(row: dict[str, Any]) -> Draft:
    source = Source(row["copied_from"], row["copied_reference"]) if row["copied_from"] else None
    return Draft(
        id=row["draft_id"],
        type=row["type"],
        owner_organisation_id=row["owner_organisation_id"],
        writer_organisation_id=row["writer_organisation_id"],
        written_by=row["written_by"],
        label=row["label"],
        is_template=row["is_template"],
        body=_body(row["body"]),
        copied_from=source,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        revision=row["revision"],
        document_id=row["document_id"],
        document_reference=row["reference"],
        price_lock=PriceLock(row["price_version"], row["price_locked_until"]) if row["price_locked_until"] else None,
    )


def _body(text: str) -> dict[str, Any]:
    return dict(json.loads(text))
