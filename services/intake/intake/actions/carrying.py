"""Carry: what was said once, filled into the next document and shown with where it came from."""

from __future__ import annotations

from collections.abc import Sequence

from kit import clock
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound

from intake.actions.reading import Seen, is_id, unseen, viewer_of, visible
from intake.actions.referring import sources
from intake.domain import provenance
from intake.domain.provenance import Origin, Source
from intake.domain.references import is_reference
from intake.domain.relations import Link, Target, name_of
from intake.domain.rulebook import Rulebooks
from intake.store import documents, relations


async def origins(db: Database, caller: Principal, asked: str, seen: Seen = unseen) -> bytes:
    """Of the values of the version in effect. Raises NotFound."""
    async with documents.snapshot(db) as tx:
        document = await visible(tx, asked, caller)
        found = await relations.carried(tx, document.id, document.version)
    seen(document.id)
    pairs = ((Source.named(target), here, there) for target, carried in found for here, there in carried)
    return provenance.origins_json(document, [Origin(here, source, there) for source, here, there in pairs])


async def prefill(
    db: Database, rulebooks: Rulebooks, caller: Principal, type_key: str, names: Sequence[str], seen: Seen = unseen
) -> bytes:
    """Nothing is kept. Raises NotFound for a type nobody knows, and for a document the caller may not see."""
    book = rulebooks.in_force(clock.now())
    carries = book.pack.dictionary.carried_into(book.kind(type_key).key)
    async with documents.snapshot(db) as tx:
        targets = await _named(tx, caller, names)
        held = [
            Link(carry.link_member, target.id, target.version)
            for carry in carries
            for target in targets
            if target.type in carry.from_
        ]
        known = await sources(tx, list(dict.fromkeys(held)), targets)
    for target in targets:
        seen(target.id)
    return provenance.prefilled_json(type_key, *provenance.prefilled(carries, known))


async def _named(tx: Tx, caller: Principal, names: Sequence[str]) -> list[Target]:
    """In the order they were named."""
    asked = list(dict.fromkeys(name_of(name) for name in names))
    ids, references = [name for name in asked if is_id(name)], [name for name in asked if is_reference(name)]
    found = await relations.targets(tx, ids, references, viewer_of(caller))
    by_name = {name: target for target in found for name in (target.id, target.reference)}
    if any(name not in by_name for name in asked):
        raise NotFound("NOT_FOUND")
    return list({by_name[name].id: by_name[name] for name in asked}.values())
