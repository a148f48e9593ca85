"""Copy: a draft that begins with what a document, or another draft, says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from kit import clock
from kit.auth import Principal
from kit.database import Database
from kit.errors import NotFound

from intake.actions import reading
from intake.actions.drafting import DraftDesk, Shown
from intake.domain.copying import copied
from intake.domain.drafts import Content, Source
from intake.domain.rulebook import Rulebooks
from intake.store import documents


@dataclass(frozen=True, slots=True)
class Copying:
    """What is asked of a copy; `on_behalf_of` is empty for the owner of what is copied."""

    on_behalf_of: str
    label: str
    is_template: bool

    def request(self, source_id: str) -> bytes:
        return msgspec.json.encode([source_id, self.on_behalf_of, self.label, self.is_template])


class Copyist:
    def __init__(self, db: Database, rulebooks: Rulebooks, desk: DraftDesk) -> None:
        self._db = db
        self._rulebooks = rulebooks
        self._desk = desk

    async def copy_document(self, caller: Principal, asked: str, copying: Copying, key: str) -> Shown:
        """For its owner and for who filed it: to whom else it may be shown, it is not theirs to file again."""
        async with self._db.connection() as connection:
            document = await reading.visible(connection, asked, caller)
            body, _ = await documents.content(connection, document.id, document.version)
        if caller.organisation_id not in (document.owner_organisation_id, document.submitter_organisation_id):
            raise NotFound("NOT_FOUND")
        owner, source = document.owner_organisation_id, Source(document.id, document.reference)
        content = self._content(caller, document.type, copying, owner, msgspec.json.decode(body))
        return await self._desk.add(caller, content, source, key, copying.request(document.id))

    async def copy_draft(self, caller: Principal, draft_id: str, copying: Copying, key: str) -> Shown:
        draft = await self._desk.find(caller, draft_id)
        content = self._content(caller, draft.type, copying, draft.owner_organisation_id, draft.body)
        return await self._desk.add(caller, content, Source(draft.id), key, copying.request(draft.id))

    def _content(
        self, caller: Principal, document_type: str, copying: Copying, owner: str, body: dict[str, Any]
    ) -> Content:
        """Raises Invalid when the country has no such type any more."""
        kind = self._rulebooks.in_force(clock.now()).rules(document_type, caller.language).kind
        filed_for = copying.on_behalf_of or owner
        on_behalf_of = "" if filed_for == caller.organisation_id else filed_for
        return Content(document_type, on_behalf_of, copying.label, copying.is_template, copied(kind.schema, body))
