"""Complete: one stage of a document, given by whom it belongs to; the document goes on, and may leave for its case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from kit import clock, outbox
from kit.database import Database, Tx
from kit.errors import Invalid, Violation
from packs.model import DocumentType, Pack, Stage, Transition

from intake.actions import acts, facts
from intake.actions.acts import Act, Acted
from intake.actions.amending import AmendmentDesk, Draft
from intake.actions.directory import AMEND as POWER
from intake.actions.directory import Directory
from intake.domain import amendments, stages
from intake.domain.amendments import AmendmentState, Change
from intake.domain.documents import Document, Item
from intake.domain.rulebook import Rulebooks
from intake.domain.stages import Judged
from intake.store import documents, marks


@dataclass(frozen=True, slots=True)
class Given:
    """A stage as it was given, and found to be in order."""

    stage: Stage
    draft: Draft
    found: Sequence[Change]
    move: Transition


class StageDesk:
    """`amendments` judges and keeps versions: a stage that changes the body makes one."""

    def __init__(self, db: Database, rulebooks: Rulebooks, directory: Directory, desk: AmendmentDesk) -> None:
        self._db = db
        self._rulebooks = rulebooks
        self._directory = directory
        self._desk = desk

    async def complete(self, act: Act, key: str) -> Acted:
        """The same key again is the same answer. Raises Invalid, Refused, PreconditionFailed."""
        request = amendments.read(act.request, act.caller.language)
        document, mandate_id = await acts.subject(self._db, self._directory, act, POWER)
        stages.require_filer(self._rulebooks.kind(document), act.caller.roles)
        judgement, links = await self._desk.judged(document, mandate_id, request, act)
        async with self._db.transaction() as tx:
            document = await acts.locked(tx, document.id)
            earlier = await acts.earlier(tx, act, document.id)
            if earlier is not None:
                return earlier
            document.require_match(act.if_match)
            given = await self._given(tx, document, key, Draft(act, request, judgement, links))
            return await self._enter(tx, document, given)

    async def _given(self, tx: Tx, document: Document, key: str, draft: Draft) -> Given:
        kind, pack = self._rulebooks.kind(document), self._rulebooks.of(document).pack
        stage, body = stages.due(kind, document, key), draft.request.body
        if not draft.judgement.is_valid:
            raise Invalid("INVALID_DOCUMENT", violations=draft.judgement.violations)
        before = msgspec.json.decode((await documents.content(tx, document.id, document.version))[0])
        found = amendments.changes(before, body)
        language = draft.act.caller.language
        wrong = stages.faults(pack, stage, body, found, language)
        wrong += await _unready(tx, pack, kind, document, stage, body, language)
        if wrong:
            raise Invalid("INVALID_DOCUMENT", violations=wrong[: amendments.VIOLATIONS_MAX])
        return Given(stage, draft, found, stages.move(kind, document, stage, body))

    async def _enter(self, tx: Tx, document: Document, given: Given) -> Acted:
        kind, act, now = self._rulebooks.kind(document), given.draft.act, clock.now()
        moved = document.follow(kind, given.move, now)
        if given.found:
            version = await self._desk.store(tx, document, given.draft, list(given.found), AmendmentState.ACCEPTED)
            moved = replace(moved, version=version.version)
        await documents.save(tx, moved, [Item("state", now, actor=act.caller.subject).moving(given.move)])
        await marks.put(tx, document.id, document.type, stages.marks(kind, given.draft.request.body))
        await outbox.append_many(tx, _said(kind, document, moved, given))
        return await acts.answered(tx, self._rulebooks, act, moved)


async def _unready(
    tx: Tx, pack: Pack, kind: DocumentType, document: Document, stage: Stage, body: Any, language: str
) -> list[Violation]:
    if not stage.ready:
        return []
    await marks.hold(tx, kind.key, stages.marks(kind, body))
    return stages.unready(pack, await readiness(tx, kind, document.owner_organisation_id, body), language)


async def readiness(tx: Tx, kind: DocumentType, owner: str, body: Any) -> list[Judged]:
    taken = await marks.taken(tx, kind.key, stages.marks(kind, body), owner, stages.rivals(kind))
    return stages.readiness(kind, body, taken)


def _said(kind: DocumentType, document: Document, moved: Document, given: Given) -> list[outbox.OutboxEntry]:
    at, by = moved.updated_at, given.draft.act.caller.subject
    said = [facts.document_decided(document, given.move, at)]
    if given.stage.opens_case:
        said.append(facts.document_completed(moved, by, at, given.draft.judgement.facts_json))
    if kind.admission is not None and moved.state in kind.admission.states:
        said.append(facts.organisation_admitted(moved, stages.admitted(kind.admission, given.draft.request.body), at))
    return said
