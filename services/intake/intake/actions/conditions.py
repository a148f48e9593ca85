"""Conditions: set by who approved, met by a later step or by the operator's file, and in force until then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import clock
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Invalid, Malformed, NotFound, Refused

from intake.actions import accessing, acts, reading
from intake.actions.directory import Directory
from intake.actions.reading import Seen, unseen
from intake.domain.attachments import require_sha256
from intake.domain.conditions import Condition, condition_json, initial_state, must_hold
from intake.domain.documents import Document, Item
from intake.domain.rulebook import Rulebooks
from intake.domain.values import is_plain_text
from intake.domain.wording import violation
from intake.store import attachments, documents
from intake.store import conditions as store

IMPOSED, MET = "condition_imposed", "condition_satisfied"
ACTION = "satisfy_condition"


@dataclass(frozen=True, slots=True)
class Imposed:
    id: str
    code: str
    parameters: Mapping[str, Any]
    remarks: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """What one decided task set, and what of earlier ones it found met."""

    document_id: str
    task_id: str
    agency: str
    step: str
    by: str
    at: datetime
    imposed: Sequence[Imposed]
    met: Sequence[str]


async def agreed(tx: Tx, rulebooks: Rulebooks, told: Agreed) -> None:
    """The consumer brings the transaction. Silent about documents that are not ours."""
    document = await documents.lock(tx, told.document_id) if reading.is_id(told.document_id) else None
    if document is None:
        return
    known = {one.id: one for one in await store.of_document(tx, document.id)}
    items = []
    for condition_id in told.met:
        if condition_id in known and known[condition_id].is_open:
            await store.meet(tx, condition_id, told.by, told.at, {"task_id": told.task_id})
            items.append(_item(MET, known[condition_id], told.by, told.agency, told.at))
    for imposed in told.imposed:
        condition = _condition(rulebooks, document, told, imposed)
        await store.impose(tx, condition)
        items.append(_item(IMPOSED, condition, told.by, told.agency, told.at))
    await documents.note(tx, document.id, items)


async def hold(
    tx: Tx, rulebooks: Rulebooks, document: Document, gate: str, declaration: Mapping[str, Any], language: str
) -> list[str]:
    """The document is locked. The standing conditions found met; raises Refused for what is not."""
    kind = rulebooks.kind(document)
    if not kind.conditions:
        return []
    return must_hold(await store.of_document(tx, document.id), kind, gate, declaration, language)


async def listed(db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, seen: Seen = unseen) -> list[bytes]:
    """In the order they were set. Raises NotFound."""
    async with documents.snapshot(db) as tx:
        document = await reading.visible(tx, asked, caller)
        found = await store.of_document(tx, document.id)
    seen(document.id)
    kind = rulebooks.kind(document)
    return [condition_json(one, kind, caller.language) for one in found]


@dataclass(frozen=True, slots=True)
class Evidence:
    condition_id: str
    attachment: str
    remarks: str


async def satisfy(
    db: Database, rulebooks: Rulebooks, directory: Directory, caller: Principal, asked: str, given: Evidence
) -> bytes:
    """The operator's file meets it, once: the same file again answers the same."""
    if not is_plain_text(given.remarks):
        raise Malformed("MALFORMED", "the remarks are not plain text, or too long")
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    await acts.require_right_to_answer(directory, document, caller)
    async with db.transaction() as tx:
        document = await acts.locked(tx, document.id)
        kind = rulebooks.kind(document)
        condition = await _meant(tx, document, given)
        if condition.is_open:
            document.refuse_ended(kind)
            await _require_file(tx, caller, given.attachment)
            await _meet(tx, document, condition, caller, given)
        elif condition.evidence.get("attachment") != given.attachment:
            raise Refused("INVALID_TRANSITION", "the condition is met already", facts={"state": condition.state})
        return condition_json(await _meant(tx, document, given), kind, caller.language)


async def _meant(tx: Tx, document: Document, given: Evidence) -> Condition:
    """Raises NotFound; Refused for what a file does not meet."""
    found = await store.of_document(tx, document.id)
    condition = next((one for one in found if one.id == given.condition_id), None)
    if condition is None:
        raise NotFound("NOT_FOUND")
    if condition.met_by != "attachment":
        facts = {"satisfied_by": condition.met_by}
        raise Refused("INVALID_TRANSITION", "no file meets this condition", facts=facts)
    return condition


async def _require_file(tx: Tx, caller: Principal, sha256: str) -> None:
    """Raises Invalid for what the caller may not refer to; Refused while nobody knows that it is clean."""
    try:
        found = await attachments.find(tx, require_sha256(sha256), reading.viewer_of(caller))
    except NotFound:
        found = None
    if found is None:
        fault = violation("/attachment", "UNKNOWN_ATTACHMENT", caller.language)
        raise Invalid("INVALID_REQUEST", violations=[fault])
    found.require_clean()


async def _meet(tx: Tx, document: Document, condition: Condition, caller: Principal, given: Evidence) -> None:
    now = clock.now()
    evidence = {"attachment": given.attachment} | ({"remarks": given.remarks} if given.remarks else {})
    await store.meet(tx, condition.id, caller.subject, now, evidence)
    await attachments.refer(tx, [(document.id, given.attachment)])
    await documents.note(tx, document.id, [_item(MET, condition, caller.subject, condition.agency, now, evidence)])
    await accessing.wrote(tx, caller, ACTION, document.id)


def _condition(rulebooks: Rulebooks, document: Document, told: Agreed, imposed: Imposed) -> Condition:
    kind = rulebooks.kind(document).condition(imposed.code)
    if kind is None:
        raise Invalid("INVALID_DOCUMENT", f"{document.type} has no condition {imposed.code}")
    return Condition(
        id=imposed.id,
        document_id=document.id,
        task_id=told.task_id,
        agency=told.agency,
        step=told.step,
        code=imposed.code,
        parameters=imposed.parameters,
        remarks=imposed.remarks,
        blocks=kind.blocks or "",
        met_by=kind.satisfied_by.kind,
        imposed_by=told.by,
        imposed_at=told.at,
        state=initial_state(kind),
    )


def _item(
    kind: str, condition: Condition, actor: str, agency: str, at: datetime, evidence: Mapping[str, Any] | None = None
) -> Item:
    detail = {"condition_id": condition.id, "code": condition.code, "parameters": condition.parameters}
    detail |= {"remarks": condition.remarks} if condition.remarks and kind == IMPOSED else {}
    detail |= evidence or {}
    return Item(kind, at, actor=actor, agency=agency, step=condition.step, detail=detail)
