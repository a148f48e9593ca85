"""Documents refer to files: to those alone that the sender may read and that no virus was found in."""

from __future__ import annotations

from collections.abc import Sequence

from kit.auth import Principal
from kit.database import Database
from kit.errors import Violation

from intake.actions.reading import viewer_of
from intake.domain.wording import violation
from intake.store import attachments


async def unusable(
    db: Database, caller: Principal, places: Sequence[tuple[str, str]], language: str
) -> list[Violation]:
    """`places`: pointers into the request and the hashes there."""
    if not places:
        return []
    async with db.connection() as connection:
        usable = await attachments.usable(connection, {sha256 for _, sha256 in places}, viewer_of(caller))
    return [violation(place, "UNKNOWN_ATTACHMENT", language) for place, sha256 in places if sha256 not in usable]
