"""Track: the documents around a document, and one box that finds documents by any number they bear."""

from __future__ import annotations

from collections.abc import Sequence

from kit import pages
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Malformed

from intake.actions.reading import Seen, position, unseen, viewer_of, visible
from intake.domain import tracking as shapes
from intake.domain.documents import Document
from intake.domain.graphs import DEPTH_MAX, EDGES_MAX, Graph
from intake.domain.relations import search_key
from intake.domain.rulebook import Rulebooks
from intake.domain.tracking import Labelled
from intake.domain.values import is_plain_text
from intake.store import documents, relations, searching
from intake.store.searching import Found

QUERY_CHARS_MAX = 80
KEY_CHARS_MIN = 4


async def graph(
    db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, depth: int, seen: Seen = unseen
) -> bytes:
    """Raises NotFound, Malformed."""
    if not 1 <= depth <= DEPTH_MAX:
        raise Malformed("MALFORMED", f"a graph is from 1 to {DEPTH_MAX} steps deep")
    async with documents.snapshot(db) as tx:
        root = await visible(tx, asked, caller)
        grown = await _grown(tx, caller, root, depth)
    for one in grown.documents:
        seen(one.id)
    nodes = [labelled(rulebooks, one, caller.language) for one in grown.documents]
    return shapes.graph_json(root, nodes, grown)


async def _grown(tx: Tx, caller: Principal, root: Document, depth: int) -> Graph:
    """Ring by ring; what the caller may not see is no way through."""
    grown, ring = Graph({root.id: root}), {root.id}
    for _ in range(depth):
        found = await relations.edges(tx, ring, EDGES_MAX)
        ring = grown.grow(found, await relations.visible(tx, grown.unknown(found), viewer_of(caller)))
        if not ring:
            break
    return grown


async def search(
    db: Database, rulebooks: Rulebooks, caller: Principal, query: str, cursor: str, limit: int, seen: Seen = unseen
) -> tuple[Sequence[bytes], str, bool]:
    """A page, newest first, the cursor of the next, and whether the query fits too much to be looked at whole."""
    key = search_key(query)
    if not is_plain_text(query, QUERY_CHARS_MAX) or len(key) < KEY_CHARS_MIN:
        raise Malformed("MALFORMED", f"a search takes from {KEY_CHARS_MIN} letters and digits of a number")
    filters = {"list": "search", "key": key}
    before, most = position(pages.decode(cursor, filters)), pages.limit(limit)
    async with documents.snapshot(db) as tx:
        hits = await searching.hits(tx, key, viewer_of(caller), before, most + 1)
    shown = hits.found[:most]
    for one in shown:
        seen(one.document.id)
    following = pages.encode(filters, [shown[-1].document.id]) if len(hits.found) > most else ""
    return [_hit(rulebooks, one, caller.language) for one in shown], following, hits.left_off


def _hit(rulebooks: Rulebooks, found: Found, language: str) -> bytes:
    return shapes.hit_json(labelled(rulebooks, found.document, language), found.matches)


def labelled(rulebooks: Rulebooks, document: Document, language: str) -> Labelled:
    book = rulebooks.of(document)
    type_label = book.pack.label(book.kind(document.type).labels, language)
    return Labelled(document, type_label, rulebooks.state_label(document, language))
