"""The public JSON of drafts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from kit import wire
from kit.errors import Violation

from intake.domain.drafts import Draft, PriceLock, Source, encoded

MISSING = "REQUIRED"


def draft_json(draft: Draft, errors: Sequence[Violation]) -> bytes:
    """`missing` and `errors` are what its submission would be refused for."""
    wrong = [one for one in errors if one.code != MISSING]
    said = {
        "missing": [one.pointer for one in errors if one.code == MISSING],
        "errors": [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in wrong],
    }
    head, tail = msgspec.json.encode(_draft_head(draft))[:-1], msgspec.json.encode(said)[1:]
    return b"".join((head, b',"body":', encoded(draft.body), b",", tail))


def draft_summary_json(draft: Draft) -> bytes:
    return msgspec.json.encode(_draft_head(draft))


def _draft_head(draft: Draft) -> dict[str, Any]:
    document = {"id": draft.document_id, "reference": draft.document_reference}
    return {
        "id": draft.id,
        "type": draft.type,
        "label": draft.label,
        "template": draft.is_template,
        "owner_organisation_id": draft.owner_organisation_id,
        "writer_organisation_id": draft.writer_organisation_id,
        "written_by": draft.written_by,
        "copied_from": _source(draft.copied_from),
        "document": document if draft.document_id else None,
        "price_lock": _price_lock(draft.price_lock),
        "created_at": wire.rfc3339(draft.created_at),
        "updated_at": wire.rfc3339(draft.updated_at),
    }


def _price_lock(lock: PriceLock | None) -> dict[str, str] | None:
    return {"price_version": lock.version, "until": wire.rfc3339(lock.until)} if lock else None


def _source(source: Source | None) -> dict[str, str | None] | None:
    if source is None:
        return None
    is_document = bool(source.reference)
    return {
        "document_id": source.id if is_document else None,
        "reference": source.reference or None,
        "draft_id": None if is_document else source.id,
    }
