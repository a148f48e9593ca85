"""Amend: a new version of a standing document, in effect at once or once the agencies that the pack names agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from kit import clock, trace
from kit.database import Database, Tx
from kit.errors import Invalid, PreconditionFailed, Refused
from packs import amendments as rules
from packs.amendments import AMENDING, CHANGING_BANK, Way
from packs.model import Amendment as Terms

from intake.actions import acts, versions
from intake.actions.acts import Act, Acted
from intake.actions.directory import AMEND as POWER
from intake.actions.directory import Directory
from intake.actions.referring import Referrer
from intake.actions.register import Register
from intake.domain import amendments, bank_changes
from intake.domain.amendments import Amendment, AmendmentState, Change, Request
from intake.domain.canonical import canonical
from intake.domain.documents import Document
from intake.domain.parties import Filing
from intake.domain.relations import Link
from intake.domain.rulebook import Candidate, Judgement, Rulebooks
from intake.store import amendments as store
from intake.store import attachments, documents, relations
from intake.store.relations import Related


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that was read and judged, and not yet held against the document as it stands."""

    act: Act
    request: Request
    judgement: Judgement
    links: Sequence[Link]
    way: Way = AMENDING


class AmendmentDesk:
    """`register` signs: every version has its receipt."""

    def __init__(self, db: Database, rulebooks: Rulebooks, directory: Directory, register: Register) -> None:
        self._db = db
        self._rulebooks = rulebooks
        self._directory = directory
        self._register = register

    async def amend(self, act: Act) -> Acted:
        """The same key again is the same answer. Raises Invalid, Refused, PreconditionFailed."""
        request = amendments.read(act.request, act.caller.language)
        document, mandate_id = await acts.subject(self._db, self._directory, act, POWER)
        judgement, links = await self.judged(document, mandate_id, request, act)
        return await self._propose(document, Draft(act, request, judgement, links))

    async def change_bank(self, act: Act) -> Acted:
        """An amendment of the bank alone. Raises Invalid, Refused, PreconditionFailed."""
        language = act.caller.language
        asked = bank_changes.read(act.request, language)
        document, mandate_id = await acts.subject(self._db, self._directory, act, POWER)
        terms = self._rulebooks.kind(document).bank_change
        if terms is None:
            raise Refused("INVALID_TRANSITION", "this document has no bank to change", facts={"state": document.state})
        body = await self._body(document)
        request = Request(bank_changes.changed(terms, body, asked, language), asked.remarks)
        judgement, links = await self.judged(document, mandate_id, request, act)
        pack = self._rulebooks.of(document).pack
        # Of a title that was turned away no bank is committed.
        held = bank_changes.refusals(pack, terms, body, language) if document.state in terms.states else []
        faults = [*judgement.violations, *held]
        before = self._before(document, terms, body)
        judgement = replace(
            judgement, violations=bank_changes.as_asked(terms, faults), facts={**judgement.facts, **before}
        )
        return await self._propose(document, Draft(act, request, judgement, links, CHANGING_BANK))

    async def _body(self, document: Document) -> dict[str, Any]:
        async with self._db.connection() as connection:
            body, _ = await documents.content(connection, document.id, document.version)
        return dict(msgspec.json.decode(body))

    def _before(self, document: Document, terms: Terms, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the version in force says, for the steps that ask whom it names."""
        stands = self._rulebooks.of(document).rules(document.type, "").derived(body, clock.now())
        return {rules.BEFORE + fact: stands.get(fact) for fact in rules.facts_before(terms)}

    async def judged(
        self, document: Document, mandate_id: str, request: Request, act: Act
    ) -> tuple[Judgement, Sequence[Link]]:
        """By the rules of production, of the version the document was born under."""
        owner = await self._directory.profile(document.owner_organisation_id)
        filing = Filing(owner, document.submitter_organisation_id, act.caller.subject, mandate_id)
        language = act.caller.language
        candidate = Candidate(document.id, request.body, filing, clock.now(), language)
        judgement = self._rulebooks.of(document).rules(document.type, language).judge(candidate)
        referrer = Referrer(act.caller, document.owner_organisation_id, document.id, language)
        resolved = await self._register.resolved(referrer, judgement)
        return replace(judgement, violations=[*judgement.violations, *resolved.violations]), resolved.links

    async def _propose(self, seen: Document, draft: Draft) -> Acted:
        act = draft.act
        async with self._db.transaction() as tx:
            document = await acts.locked(tx, seen.id)
            earlier = await acts.earlier(tx, act, document.id)
            if earlier is not None:
                return earlier
            document.require_match(act.if_match)
            if draft.way is CHANGING_BANK and document.version != seen.version:
                raise PreconditionFailed(
                    "PRECONDITION_FAILED", "the document has changed", facts={"etag": document.etag}
                )
            if not draft.judgement.is_valid:
                raise Invalid("INVALID_DOCUMENT", violations=draft.judgement.violations)
            return await self._enter(tx, document, draft)

    async def _enter(self, tx: Tx, document: Document, draft: Draft) -> Acted:
        kind, act, language = self._rulebooks.kind(document), draft.act, draft.act.caller.language
        terms, resumes_at = await versions.admitted(tx, kind, document, draft.way)
        before = msgspec.json.decode((await documents.content(tx, document.id, document.version))[0])
        found = amendments.changes(before, draft.request.body)
        amendments.refuse_forbidden(terms, found, language)
        bodies, asked = (before, draft.request.body), draft.judgement.facts
        lines = await versions.changed_lines(tx, kind, document.id, draft.way, bodies, asked, language)
        steps = () if resumes_at else rules.steps_called_for(terms, (change.pointer for change in found))
        state = AmendmentState.PROPOSED if steps else AmendmentState.ACCEPTED
        amendment = await self.store(tx, document, draft, found, state)
        if steps:
            document = await versions.propose(tx, kind, document, draft.way, amendment, steps)
        else:
            actor = act.caller.subject
            document = await versions.put_in_effect(tx, kind, document, draft.way, amendment, lines, actor, resumes_at)
        tail = _tail(amendment, steps, left_off=len(found) - len(amendment.changes))
        return await acts.answered(tx, self._rulebooks, act, document, tail)

    async def store(
        self, tx: Tx, document: Document, draft: Draft, found: list[Change], state: AmendmentState
    ) -> Amendment:
        now, version = clock.now(), await store.next_version(tx, document.id)
        amendment = Amendment(
            document_id=document.id,
            version=version,
            state=state,
            from_state=document.state,
            facts=draft.judgement.facts,
            changes=amendments.shown(found),
            remarks=draft.request.remarks,
            proposed_by=draft.act.caller.subject,
            proposed_at=now,
        )
        body = canonical(draft.request.body)
        receipt = self._register.receipt(document, version, now, body, trace.current())
        await store.add(tx, amendment, body, receipt)
        await attachments.refer(tx, [(document.id, sha256) for _, sha256 in draft.judgement.attachments])
        await relations.add(tx, [Related(document.id, version, draft.links, draft.judgement.keys)])
        return amendment


def _tail(amendment: Amendment, steps: tuple[str, ...], left_off: int) -> bytes:
    """Members of the answer beside the document's own."""
    told: Mapping[str, Any] = {
        "amendment": {"version": amendment.version, "state": amendment.state, "steps": steps},
        "diff": amendment.changes,
        "diff_left_off": left_off,
    }
    return b"," + msgspec.json.encode(told)[1:-1]
