"""Acts on a standing document: by whom it belongs to, on what they have seen, once for an Idempotency-Key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Forbidden, Invalid, NotFound

from intake.actions import accessing, reading
from intake.actions.directory import AMEND, FILE, Directory
from intake.domain import envelope, representation
from intake.domain.documents import Document
from intake.domain.rulebook import Rulebooks
from intake.store import acts, documents

# As the public contract calls them, where that is not `…_document`.
ACTIONS = {"change_bank": "change_bank", "clear": "clear_title"}


@dataclass(frozen=True, slots=True)
class Act:
    """`idempotency_key` is empty where the caller gave none: then If-Match alone keeps it from happening twice."""

    name: str
    caller: Principal
    asked: str
    if_match: str
    idempotency_key: str
    request: bytes

    def fingerprint(self, document_id: str) -> bytes:
        return hashlib.sha256(b"\0".join((self.name.encode(), document_id.encode(), self.request))).digest()


@dataclass(frozen=True, slots=True)
class Acted:
    document_json: bytes
    etag: str
    replayed: bool


async def subject(db: Database, directory: Directory, act: Act, power: str) -> tuple[Document, str]:
    """The document, and the mandate the caller acts under (empty for its owner). Raises NotFound, Forbidden."""
    if act.idempotency_key:
        envelope.idempotency_key(act.idempotency_key)
    async with db.connection() as connection:
        document = await reading.visible(connection, act.asked, act.caller)
    return document, await mandate(directory, document, act.caller, power)


async def mandate(directory: Directory, document: Document, caller: Principal, power: str) -> str:
    """The owner needs none; whoever filed it, one that still allows this."""
    if caller.organisation_id == document.owner_organisation_id:
        return ""
    if caller.organisation_id != document.submitter_organisation_id:
        raise Forbidden("FORBIDDEN", "only the owner or its agent may do this")
    mandate_id, _ = await directory.mandate(
        document.owner_organisation_id, caller.organisation_id, power, document.type
    )
    return mandate_id


async def require_right_to_answer(directory: Directory, document: Document, caller: Principal) -> None:
    """The owner, or whoever filed it under a mandate that still lets it amend or file."""
    try:
        await mandate(directory, document, caller, AMEND)
    except Forbidden:
        await mandate(directory, document, caller, FILE)


async def locked(tx: Tx, document_id: str) -> Document:
    document = await documents.lock(tx, document_id)
    if document is None:
        raise NotFound("NOT_FOUND")
    return document


async def earlier(tx: Tx, act: Act, document_id: str) -> Acted | None:
    """What the same act was answered. Asked under the document's lock: two at once are one after the other."""
    if not act.idempotency_key:
        return None
    known = await acts.earlier(tx, act.caller.organisation_id, act.idempotency_key)
    if known is None:
        return None
    if known.fingerprint != act.fingerprint(document_id):
        raise _reused()
    answer = representation.document_json(known.head, known.body, known.receipt, known.tail)
    return Acted(answer, known.etag, replayed=True)


async def answered(tx: Tx, rulebooks: Rulebooks, act: Act, document: Document, tail: bytes = b"") -> Acted:
    """The document as the act left it, remembered under its key in the act's own transaction."""
    head = representation.document_head(document, rulebooks.state_label(document, act.caller.language))
    if act.idempotency_key:
        content, answer = (document.id, document.version), (head, tail, document.etag)
        key = (act.caller.organisation_id, act.idempotency_key)
        if not await acts.remember(tx, *key, act.fingerprint(document.id), content, answer):
            raise _reused()
    name = act.name.partition(":")[0]
    await accessing.wrote(tx, act.caller, ACTIONS.get(name) or f"{name}_document", document.id)
    body, receipt = await documents.content(tx, document.id, document.version)
    return Acted(representation.document_json(head, body, receipt, tail), document.etag, replayed=False)


def _reused() -> Invalid:
    return Invalid("IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used for another request")
