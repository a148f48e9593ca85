"""Who changes several documents locks them all first, by id: nobody then waits for another in a ring."""

from __future__ import annotations

from kit.database import Tx

from intake.domain.documents import Document
from intake.store import documents, relations


async def with_what_it_names(tx: Tx, document_id: str) -> Document | None:
    mirrored = await relations.by_id(tx, document_id)
    named = await relations.targets_of(tx, document_id, mirrored.version) if mirrored is not None else []
    held = {one: await documents.lock(tx, one) for one in sorted({document_id, *(target.id for target in named)})}
    return held[document_id]
