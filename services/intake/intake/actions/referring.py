"""Documents refer to files and to other documents: to those alone that may be seen by whom it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Violation

from intake.actions.reading import is_id, viewer_of
from intake.domain import provenance
from intake.domain.parties import Viewer
from intake.domain.provenance import Claim, Source
from intake.domain.references import is_reference
from intake.domain.relations import Link, Target, links, name_of
from intake.domain.rulebook import Judgement
from intake.domain.shape import Marked
from intake.domain.wording import violation
from intake.store import attachments, documents, relations


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who refers: files are those of the caller, documents those that the document's owner may see."""

    caller: Principal
    owner_organisation_id: str
    document_id: str
    language: str


@dataclass(frozen=True, slots=True)
class Resolved:
    violations: Sequence[Violation] = ()
    links: Sequence[Link] = ()


async def resolved(db: Database, referrer: Referrer, judgement: Judgement) -> Resolved:
    if not (judgement.attachments or judgement.references):
        return Resolved()
    async with db.connection() as connection:
        wrong = await _unusable_files(connection, referrer, judgement.attachments)
        targets, held, unknown = await linked(connection, referrer, judgement.references)
        held, contradicted = await _traced(connection, referrer, judgement.claim, held, targets)
    return Resolved([*wrong, *unknown, *contradicted], held)


async def _traced(
    tx: Tx, referrer: Referrer, claim: Claim | None, held: list[Link], targets: Sequence[Target]
) -> tuple[list[Link], list[Violation]]:
    """What the document has from those it refers to, and what it says otherwise than they."""
    if claim is None or not held:
        return held, []
    found = provenance.traced(claim.carries, claim.body, await sources(tx, held, targets))
    carried = [replace(link, carried=found.carried(link.kind, link.target_document_id)) for link in held]
    language = referrer.language
    return carried, [violation(claim.root + place, "CONTRADICTS_ORIGIN", language) for place in found.contradicted]


async def sources(tx: Tx, held: Sequence[Link], targets: Sequence[Target]) -> list[Source]:
    """The bodies in effect of the documents referred to."""
    by_id = {target.id: target for target in targets}
    return [await _source(tx, link, by_id[link.target_document_id]) for link in held]


async def _source(tx: Tx, link: Link, target: Target) -> Source:
    body, _ = await documents.content(tx, target.id, target.version)
    return Source(target.id, target.reference, target.type, target.version, link.kind, msgspec.json.decode(body))


async def _unusable_files(tx: Tx, referrer: Referrer, places: Sequence[tuple[str, str]]) -> list[Violation]:
    """`places`: pointers into the request and the hashes there."""
    if not places:
        return []
    usable = await attachments.usable(tx, {sha256 for _, sha256 in places}, viewer_of(referrer.caller))
    language = referrer.language
    return [violation(place, "UNKNOWN_ATTACHMENT", language) for place, sha256 in places if sha256 not in usable]


async def linked(
    tx: Tx, referrer: Referrer, places: Sequence[Marked]
) -> tuple[Sequence[Target], list[Link], list[Violation]]:
    if not places:
        return [], [], []
    names = {name_of(place.text) for place in places}
    ids, references = {name for name in names if is_id(name)}, {name for name in names if is_reference(name)}
    viewer = Viewer(referrer.owner_organisation_id, "", sees_all=False)
    targets = await relations.targets(tx, ids, references, viewer)
    held, unknown = links(places, targets, referrer.document_id)
    return targets, held, [violation(place, "UNKNOWN_REFERENCE", referrer.language) for place in unknown]
