"""The pack in force as callers see it: document types and code lists."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

import packs
from kit import clock, pack_versions, pages, telemetry
from kit.database import Database, Tx
from kit.errors import Malformed, Unavailable
from packs import codelists

from intake.domain import representation
from intake.domain.rulebook import PublishedTable, Rulebooks
from intake.domain.values import is_plain_text
from intake.store import rule_tables

QUERY_CHARS_MAX = 80
# Shorter than routing lets pass between a publication and its coming into force.
REFRESH_S = 5.0


def document_types(rulebooks: Rulebooks) -> Sequence[bytes]:
    book = rulebooks.in_force(clock.now())
    return [
        representation.document_type_json(rules.kind, book.pack.dictionary, book.pack.version)
        for rules in book.types.values()
    ]


def document_type(rulebooks: Rulebooks, key: str) -> bytes:
    book = rulebooks.in_force(clock.now())
    return representation.document_type_json(book.kind(key), book.pack.dictionary, book.pack.version)


def data_dictionary(rulebooks: Rulebooks) -> bytes:
    return representation.data_dictionary_json(rulebooks.in_force(clock.now()).pack)


def codes(rulebooks: Rulebooks, name: str, query: str, cursor: str, limit: int) -> tuple[Sequence[bytes], str, str]:
    """A page of codes, the cursor of the next, and the list's version."""
    if not is_plain_text(query, QUERY_CHARS_MAX):
        raise Malformed("MALFORMED", "the query is not plain text, or too long")
    code_list = rulebooks.in_force(clock.now()).code_list(name)
    filters = {"list": name, "version": code_list.version, "query": query}
    position = pages.decode(cursor, filters, list[int]) or [0]
    page = codelists.page(code_list, query, position[0], pages.limit(limit))
    following = pages.encode(filters, [page.following]) if page.following is not None else ""
    return [representation.code_json(code) for code in page.codes], following, code_list.version


async def load(db: Database, pack: packs.Pack) -> None:
    """The same version again is the same content. Raises Conflict when it is not."""
    async with db.transaction() as tx:
        await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, packs.dumps(pack).decode())


async def loaded(db: Database) -> Rulebooks:
    rulebooks = Rulebooks()
    await refresh(db, rulebooks)
    return rulebooks


async def refresh(db: Database, rulebooks: Rulebooks) -> None:
    """Takes up pack versions that were loaded, and rule tables that were published, since."""
    async with db.connection() as connection:
        contents = await pack_versions.contents_but(connection, rulebooks.versions)
        published = await rule_tables.all_but(connection, rulebooks.tables)
    if contents:
        rulebooks.add(packs.loads(content) for content in contents)
    rulebooks.publish(published)


async def publish(tx: Tx, table: PublishedTable, rules_json: bytes, published_at: datetime) -> None:
    """The consumer brings the transaction. Nobody judges by the table before it is committed: `refresh` takes it up."""
    await rule_tables.keep(tx, table, rules_json, published_at)


async def watch(db: Database, rulebooks: Rulebooks, stop: asyncio.Event) -> None:
    """So that a new pack needs no restart."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)
        try:
            await refresh(db, rulebooks)
        except Unavailable as error:
            telemetry.log().warning("packs_unknown", reason=str(error))
