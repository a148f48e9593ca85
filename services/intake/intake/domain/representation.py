"""The public JSON of everything intake shows. These shapes are promises; nobody else writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from kit import wire
from packs.dictionary import AUTHORITY, Described, described, identified, international
from packs.model import Code, Dictionary, DocumentType, Pack

from intake.domain.attachments import Attachment
from intake.domain.documents import Document, Item
from intake.domain.durations import Waiting
from intake.domain.imputations import Imputation
from intake.domain.titles import EntryKind, TitleLine
from intake.domain.values import decimal_text

NOTHING_DUE_AFTER = {"information_requested", "case_closed"}


@dataclass(frozen=True, slots=True)
class Holder:
    """An agency, or the operator's organisation and the agency that awaits its answer."""

    agency: str | None
    organisation_id: str | None
    awaited_by: str | None
    step: str
    since: datetime
    due_at: datetime | None
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class BookedEntry:
    line: int
    kind: EntryKind
    quantity: Decimal
    at: datetime
    actor: str
    imputation_id: str | None


def document_head(document: Document, state_label: str) -> bytes:
    """All but body and receipt, which are stored as the bytes they are shown as."""
    head = {
        "id": document.id,
        "reference": document.reference,
        "type": document.type,
        "state": document.state,
        "state_label": state_label,
        "version": document.version,
        "owner_organisation_id": document.owner_organisation_id,
        "submitter_organisation_id": document.submitter_organisation_id,
        "mandate_id": document.mandate_id or None,
        "pack_version": document.pack_version,
        "submitted_at": wire.rfc3339(document.submitted_at),
        "updated_at": wire.rfc3339(document.updated_at),
        "valid_until": wire.rfc3339_or_none(document.valid_until),
    }
    return msgspec.json.encode(head)[:-1]


def document_json(head: bytes, body: bytes, receipt: bytes, tail: bytes = b"") -> bytes:
    """`tail` is what an act adds: further members, each after its comma."""
    return b"".join((head, b',"body":', body, b',"receipt":', receipt, tail, b"}"))


def receipt_json(receipt: bytes, body: bytes) -> bytes:
    """With the body, so that whoever verifies can compute its hash again."""
    return b"".join((receipt[:-1], b',"body":', body, b"}"))


def timeline_json(
    document: Document, holder: Holder | None, waiting: Iterable[Waiting], items: Sequence[Item]
) -> bytes:
    return msgspec.json.encode(
        {
            "document_id": document.id,
            "reference": document.reference,
            "state": document.state,
            "due_at": due_at(items),
            "holder": _holder(holder) if holder else None,
            "waiting": [_waiting(one) for one in waiting],
            "items": [_item(seq, item) for seq, item in enumerate(items, 1)],
        }
    )


def due_at(items: Iterable[Item]) -> str | None:
    """When the whole document is due, by what was last said; nobody can say while the operator is waited for."""
    due = None
    for item in items:
        if item.kind in NOTHING_DUE_AFTER:
            due = None
        elif item.detail and "document_due_at" in item.detail:
            due = item.detail["document_due_at"]
    return due


def item_json(seq: int, item: Item) -> bytes:
    return msgspec.json.encode(_item(seq, item))


def attachment_json(attachment: Attachment) -> bytes:
    return msgspec.json.encode(
        {
            "sha256": attachment.sha256,
            "media_type": attachment.media_type,
            "size_bytes": attachment.size_bytes,
            "state": attachment.state,
            "stored_at": wire.rfc3339(attachment.stored_at),
        }
    )


def imputation_json(imputation: Imputation) -> bytes:
    return msgspec.json.encode(
        {
            "id": imputation.id,
            "document_id": imputation.document_id,
            "state": imputation.state,
            "declaration_number": imputation.declaration_number,
            "declaration_line": imputation.declaration_line,
            "title_line": imputation.line,
            "office": imputation.office,
            "registered_on": imputation.registered_on.isoformat(),
            "quantity": _quantity(imputation.quantity, imputation.unit),
            "value": {"amount_minor": imputation.value.amount_minor, "currency": imputation.value.currency},
            "imputed_at": wire.rfc3339(imputation.imputed_at),
            "remaining": _quantity(imputation.remaining, imputation.unit),
        }
    )


def ledger_json(document: Document, lines: Sequence[TitleLine], entries: Iterable[BookedEntry]) -> bytes:
    """The title's own five figures add up its lines when they count in one unit, and are null when they do not."""
    units = {line.unit for line in lines}
    unit = units.pop() if len(units) == 1 else None
    return msgspec.json.encode(
        {
            "document_id": document.id,
            "unit": unit,
            **_balances(lines, unit),
            "lines": [{"line": line.line, "hs_code": line.hs_code, **_balances([line], line.unit)} for line in lines],
            "entries": [_entry(entry, lines) for entry in entries],
        }
    )


def document_type_json(kind: DocumentType, dictionary: Dictionary, pack_version: str) -> bytes:
    return msgspec.json.encode(
        {
            "type": kind.key,
            "labels": kind.labels,
            "direction": kind.direction,
            "title": kind.title,
            "declaration": kind.declaration,
            "initial_state": kind.initial_state,
            "states": [{"key": state.key, "labels": state.labels, "kind": state.kind} for state in kind.states],
            "transitions": [
                {"from": move.from_, "event": move.event, "actor": move.actor, "to": move.to}
                for move in kind.transitions
            ],
            "filed_by": kind.filed_by,
            "stages": [
                {"key": one.key, "labels": one.labels, "in": one.in_, "fields": one.fields} for one in kind.stages
            ],
            "schema": kind.schema,
            "fields": [_field(one) for one in described({kind.key: kind.schema}, dictionary)],
            "pack_version": pack_version,
        }
    )


def data_dictionary_json(pack: Pack) -> bytes:
    """Every element in use with its name, and every field of every document type with its element."""
    schemas = {key: kind.schema for key, kind in pack.document_types.items()}
    fields = [{"document_type": one.type, **_field(one)} for one in described(schemas, pack.dictionary)]
    used = {field["element"] for field in fields}
    own = {element.id: element for element in pack.dictionary.elements}
    elements: list[dict[str, Any]] = [
        {"id": identified(tag), "authority": AUTHORITY, "name": name, "labels": None, "definition": None}
        for tag, name in international().items()
    ]
    elements += [
        {"id": id, "authority": pack.name, "name": None, "labels": element.labels, "definition": element.definition}
        for id, element in own.items()
    ]
    shown = {
        "pack_version": pack.version,
        "elements": [element for element in elements if element["id"] in used],
        "fields": fields,
    }
    return msgspec.json.encode(shown)


def code_json(code: Code) -> bytes:
    shown: dict[str, Any] = {**code.attributes, "code": code.code, "labels": code.labels}
    return msgspec.json.encode(shown | {"untranslated": True} if code.untranslated else shown)


def _field(one: Described) -> dict[str, Any]:
    entry = one.entry
    return {
        "pointer": one.field.pointer,
        "labels": one.field.schema.get("x-labels"),
        "element": identified(entry.element) if entry else None,
        "qualifier": (entry.qualifier if entry else "") or None,
        "list": one.field.schema.get("x-list"),
        "standard": (entry.standard if entry else "") or None,
        "codes": entry.codes if entry else {},
    }


def _holder(holder: Holder) -> dict[str, Any]:
    return {
        "agency": holder.agency,
        "organisation_id": holder.organisation_id,
        "awaited_by": holder.awaited_by,
        "step": holder.step,
        "since": wire.rfc3339(holder.since),
        "due_at": wire.rfc3339_or_none(holder.due_at),
    }


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "agency": waiting.agency,
        "step": waiting.step,
        "since": wire.rfc3339(waiting.since),
        "due_at": wire.rfc3339_or_none(waiting.due_at),
        "median_seconds_90d": waiting.told_median,
        "decided_90d": waiting.samples,
    }


def _item(seq: int, item: Item) -> dict[str, Any]:
    return {
        "seq": seq,
        "at": wire.rfc3339(item.at),
        "kind": item.kind,
        "from": item.from_state or None,
        "to": item.to_state or None,
        "event": item.event or None,
        "actor": item.actor or None,
        "agency": item.agency or None,
        "step": item.step or None,
        "due_at": wire.rfc3339_or_none(item.due_at),
        "reason_code": item.reason_code or None,
        "detail": item.detail,
    }


def _balances(lines: Sequence[TitleLine], unit: str | None) -> dict[str, Any]:
    names = ("authorised", "reserved", "consumed", "released", "remaining")
    if unit is None:
        return dict.fromkeys(names)
    return {name: _quantity(sum((getattr(line, name) for line in lines), Decimal(0)), unit) for name in names}


def _entry(entry: BookedEntry, lines: Sequence[TitleLine]) -> dict[str, Any]:
    return {
        "at": wire.rfc3339(entry.at),
        "kind": entry.kind,
        "line": entry.line,
        "quantity": _quantity(entry.quantity, lines[entry.line - 1].unit),
        "imputation_id": entry.imputation_id,
        "actor": entry.actor or None,
    }


def _quantity(value: Decimal, unit: str) -> dict[str, str]:
    return {"value": decimal_text(value), "unit": unit}
