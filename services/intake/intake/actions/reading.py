"""What callers may see of documents: one, a page, a timeline, a receipt, a ledger. Nobody's business is NOT_FOUND."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kit import pages
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Malformed, NotFound

from intake.domain import representation
from intake.domain.documents import Document
from intake.domain.parties import Viewer, viewer
from intake.domain.references import is_reference
from intake.domain.rulebook import Rulebooks
from intake.domain.values import is_plain_text
from intake.store import documents, ledgers, timelines
from intake.store.documents import Filter, Stored

PAGE_BYTES_MAX = 2 * 1024 * 1024
QUERY_CHARS_MAX = 40

Seen = Callable[[str], None]
"""Told the id of each document that is about to be shown: what the access log listens to."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Shown:
    document_json: bytes
    etag: str


def viewer_of(caller: Principal) -> Viewer:
    return viewer(caller.organisation_id, caller.agency, caller.roles)


def is_id(text: str) -> bool:
    return bool(_UUID.fullmatch(text.lower()))


async def document_id(tx: Tx, asked: str) -> str:
    """Callers name a document by id or by reference. Raises NotFound."""
    if is_id(asked):
        return asked.lower()
    found = await documents.id_of(tx, asked.upper()) if is_reference(asked.upper()) else None
    if found is None:
        raise NotFound("NOT_FOUND")
    return found


async def visible(tx: Tx, asked: str, caller: Principal) -> Document:
    """Raises NotFound."""
    document = await documents.find(tx, await document_id(tx, asked), viewer_of(caller))
    if document is None:
        raise NotFound("NOT_FOUND")
    return document


async def _read(tx: Tx, asked: str, caller: Principal) -> Stored:
    stored = await documents.read(tx, await document_id(tx, asked), viewer_of(caller))
    if stored is None:
        raise NotFound("NOT_FOUND")
    return stored


def unseen(document_id: str) -> None:
    """For who reads on its own account, in the course of something else."""


async def document(db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, seen: Seen = unseen) -> Shown:
    async with db.connection() as connection:
        stored = await _read(connection, asked, caller)
    seen(stored[0].id)
    return Shown(show(rulebooks, stored, caller.language), stored[0].etag)


def show(rulebooks: Rulebooks, stored: Stored, language: str) -> bytes:
    document, body, receipt = stored
    head = representation.document_head(document, rulebooks.state_label(document, language))
    return representation.document_json(head, body, receipt)


async def page(
    db: Database, rulebooks: Rulebooks, caller: Principal, asked: Filter, cursor: str, limit: int, seen: Seen = unseen
) -> tuple[Sequence[bytes], str]:
    """Newest first. A page may be shorter than asked when bodies are large; the cursor goes on from there."""
    query = asked.query.upper()
    if not all(is_plain_text(text, QUERY_CHARS_MAX * 2) for text in (asked.type, asked.state, query)):
        raise Malformed("MALFORMED", "a filter is not plain text, or too long")
    filters = {"list": "documents", "type": asked.type, "state": asked.state, "query": query}
    before = position(pages.decode(cursor, filters))
    most = pages.limit(limit)
    wanted = Filter(asked.type, asked.state, query)
    async with db.connection() as connection:
        found = await documents.list_newest_first(
            connection, viewer_of(caller), wanted, before, most + 1, PAGE_BYTES_MAX
        )
    shown = found[:most]
    for one in shown:
        seen(one[0].id)
    has_more = len(found) > most or _is_cut(shown)
    following = pages.encode(filters, [shown[-1][0].id]) if shown and has_more else ""
    return [show(rulebooks, one, caller.language) for one in shown], following


def _is_cut(shown: Sequence[Stored]) -> bool:
    """Whether bodies filled the page before the limit did."""
    return sum(len(body) for _, body, _ in shown) >= PAGE_BYTES_MAX


def position(given: object) -> str | None:
    """Of a list that is sorted by id. Raises Malformed."""
    if given is None:
        return None
    if isinstance(given, list) and len(given) == 1 and _UUID.fullmatch(str(given[0])):
        return str(given[0])
    raise Malformed("MALFORMED", "the cursor is not one of ours")


async def timeline(db: Database, caller: Principal, asked: str, seen: Seen = unseen) -> bytes:
    async with documents.snapshot(db) as tx:
        document = await visible(tx, asked, caller)
        seen(document.id)
        holder = await timelines.holder(tx, document.id)
        waiting = await timelines.waiting(tx, document.id)
        return representation.timeline_json(document, holder, waiting, await timelines.items(tx, document.id))


async def receipt(db: Database, caller: Principal, asked: str, seen: Seen = unseen, version: int = 0) -> bytes:
    """Of the current version, or of the one asked for. Raises NotFound."""
    async with db.connection() as connection:
        document = await visible(connection, asked, caller)
        found = await documents.version_of(connection, document.id, version or document.version)
    if found is None:
        raise NotFound("NOT_FOUND", "the document has no such version")
    seen(document.id)
    body, signed = found
    return representation.receipt_json(signed, body)


async def ledger(db: Database, caller: Principal, asked: str, seen: Seen = unseen) -> bytes:
    """Raises NotFound also for documents that are no titles."""
    async with documents.snapshot(db) as tx:
        document = await visible(tx, asked, caller)
        seen(document.id)
        lines = await ledgers.lines(tx, document.id)
        if not lines:
            raise NotFound("NOT_FOUND", "this document has no ledger")
        return representation.ledger_json(document, lines, await ledgers.entries(tx, document.id))
