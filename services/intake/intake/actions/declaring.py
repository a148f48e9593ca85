"""Declare: the customs system tells of its declarations; each is mirrored as a document and draws on its titles."""

from __future__ import annotations

from dataclasses import replace

from kit import clock, ids, trace
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Invalid, NotFound, PortolanError, Refused, Unavailable
from packs.model import DocumentType

from intake.actions import drawing, locking, reading, tracking
from intake.actions.directory import Directory
from intake.actions.imputing import By
from intake.actions.reading import Seen, unseen
from intake.actions.referring import Referrer, Resolved
from intake.actions.register import Draft, Register, entered
from intake.domain import declarations
from intake.domain import tracking as shapes
from intake.domain.declarations import EventState, Recorded, Teller, Told
from intake.domain.documents import Document
from intake.domain.parties import Filing, Profile
from intake.domain.rulebook import Candidate, Judgement, Rulebook, Rulebooks
from intake.domain.wording import violation
from intake.store import declarations as store
from intake.store import documents, ledgers, relations

ACTION = "tell_declaration"
HELD_MAX = 10_000
HELD_AT_ONCE_MAX = 50

Answer = tuple[bytes, bool]
"""How the event stands, and whether it was told before."""


class DeclarationDesk:
    def __init__(self, db: Database, rulebooks: Rulebooks, directory: Directory, register: Register) -> None:
        self._db = db
        self._rulebooks = rulebooks
        self._directory = directory
        self._register = register

    async def tell(self, caller: Principal, number: str, request: bytes) -> Answer:
        """Moves the declaration with all that it does to titles, or nothing. Raises Invalid, Refused, Unavailable."""
        now = clock.now()
        told = declarations.read(number, request, caller.language, now)
        book = self._rulebooks.in_force(now)
        declarations.require_known(book.declaration.kind, told, caller.language)
        teller = Teller(caller.subject, caller.organisation_id, caller.agency)
        earlier = await self._earlier(told)
        if earlier is not None:
            return earlier
        draft = await self._draft(caller, book, told) if told.declaration is not None else None
        acceptance = await self._register.prepare(draft) if draft is not None else None
        async with self._db.transaction() as tx:
            document_id = await store.lock(tx, number)
            found = await store.earlier(tx, told)
            if found is not None and not _may_be_told_again(found[0], told):
                return await self._replay(tx, told, *found)
            if found is not None:
                await store.forget(tx, found[0].told.event_id)
            recorded = Recorded(told, teller, EventState.APPLIED, now, now)
            if draft is not None and acceptance is not None:
                if acceptance.document.id not in await entered(tx, [draft], [acceptance]):
                    raise Invalid("IDEMPOTENCY_KEY_REUSED", "this declaration's key was used for another document")
                await store.mirror(tx, number, acceptance.document.id)
                await _record(tx, recorded)
                document: Document | None = replace(acceptance.document, items=1)
            else:
                recorded, document = await self._follow(tx, recorded, document_id, caller.language)
            if document is not None:
                document = await self._drain(tx, document, caller.language)
            return self._answer(recorded, document), False

    async def _earlier(self, told: Told) -> Answer | None:
        """Before anybody is asked about it: what was told stays told, whatever has changed since."""
        async with self._db.connection() as connection:
            found = await store.earlier(connection, told)
            if found is None or _may_be_told_again(found[0], told):
                return None
            return await self._replay(connection, told, *found)

    async def _replay(self, tx: Tx, told: Told, recorded: Recorded, fingerprint: bytes) -> Answer:
        if fingerprint != told.fingerprint:
            raise Invalid("IDEMPOTENCY_KEY_REUSED", "this event of the declaration was told with other content")
        document_id = await store.document_id(tx, told.number)
        document = await relations.by_id(tx, document_id) if document_id is not None else None
        return self._answer(recorded, document), True

    async def _draft(self, caller: Principal, book: Rulebook, told: Told) -> Draft:
        """Judged for the trader that bears its number; of several, for the one whose titles it names."""
        body = told.declaration or {}
        rules, language = book.declaration, caller.language
        number = body.get("company_number")
        traders = await self._directory.traders(number) if isinstance(number, str) else []
        found: list[tuple[Candidate, Judgement, Resolved]] = []
        for trader in traders or [Profile("")]:
            filing = Filing(trader, caller.organisation_id, caller.subject)
            candidate = Candidate(ids.new_id(), body, filing, clock.now(), language)
            judgement = rules.judge(candidate, declarations.BODY)
            referrer = Referrer(caller, trader.organisation_id, candidate.document_id, language)
            resolved = await self._register.resolved(referrer, judgement)
            found.append((candidate, judgement, resolved))
        candidate, judgement, resolved = next((one for one in found if not one[2].violations), found[0])
        _refuse(judgement, resolved, body, language, is_known=bool(traders))
        key, trail = f"declaration/{told.number}", trace.current()
        parts = (book, rules.kind.key, candidate, judgement, key, told.fingerprint, trail)
        return Draft(*parts, links=resolved.links, action=ACTION)

    async def _follow(
        self, tx: Tx, recorded: Recorded, document_id: str | None, language: str
    ) -> tuple[Recorded, Document | None]:
        """Moves the declaration, or waits for what comes before. Raises Refused for what comes too late."""
        told = recorded.told
        document = await locking.with_what_it_names(tx, document_id) if document_id is not None else None
        kind = self._rulebooks.kind(document) if document is not None else None
        if document is not None and kind is not None and kind.transition(document.state, told.move) is not None:
            await _record(tx, recorded)
            return recorded, await drawing.move(tx, self._rulebooks, document, recorded, _by(recorded, language))
        if document is not None and kind is not None and not kind.may_come(document.state, told.move):
            raise _too_late(kind, document, told)
        if await store.held_count(tx, HELD_MAX) >= HELD_MAX:
            raise Unavailable("OVERLOADED", "too many events wait for what comes before them")
        held = replace(recorded, state=EventState.HELD, applied_at=None)
        await _record(tx, held)
        return held, document

    async def _drain(self, tx: Tx, document: Document, language: str) -> Document:
        """What waited for this: each by itself, so that one that is refused sinks no other."""
        kind, number = self._rulebooks.kind(document), await _number(tx, document)
        for _ in range(HELD_AT_ONCE_MAX):
            one = declarations.next_held(kind, document.state, await store.held(tx, number))
            if one is None:
                break
            try:
                async with tx.transaction():
                    document = await drawing.move(tx, self._rulebooks, document, one, _by(one, language))
            except Unavailable:
                raise
            except PortolanError as refusal:
                await _settle(tx, one, refusal)
            else:
                await store.settle(tx, one.told.event_id, EventState.APPLIED, clock.now(), None)
        for one in await store.held(tx, number):
            if not kind.may_come(document.state, one.told.move):
                await _settle(tx, one, _too_late(kind, document, one.told))
        return document

    def _answer(self, recorded: Recorded, document: Document | None) -> bytes:
        return shapes.told_json(recorded, document, self._expected(document))

    def _expected(self, document: Document | None) -> list[str]:
        if document is None:
            return [self._rulebooks.in_force(clock.now()).declaration.kind.initial_state]
        return _expected(self._rulebooks.kind(document), document.state)

    async def declaration(self, caller: Principal, number: str, seen: Seen = unseen) -> bytes:
        """Raises NotFound also for what the caller may not know exists."""
        async with documents.snapshot(self._db) as tx:
            document_id = await store.document_id(tx, number)
            events = await store.events(tx, number)
            if document_id is None:
                if not events or not reading.viewer_of(caller).sees_all:
                    raise NotFound("NOT_FOUND")
                return shapes.declaration_json(number, None, self._expected(None), events, [])
            document = await reading.visible(tx, document_id, caller)
            targets = await relations.targets_of(tx, document.id, document.version)
            imputations = await ledgers.imputations_of(tx, [one.id for one in targets], number)
        seen(document.id)
        labelled = tracking.labelled(self._rulebooks, document, caller.language)
        return shapes.declaration_json(number, labelled, self._expected(document), events, imputations)


def _may_be_told_again(recorded: Recorded, told: Told) -> bool:
    is_same = (recorded.told.number, recorded.told.event) == (told.number, told.event)
    return is_same and recorded.state is EventState.REFUSED


async def _record(tx: Tx, recorded: Recorded) -> None:
    if not await store.add(tx, recorded):
        raise Invalid("IDEMPOTENCY_KEY_REUSED", "this event id was used for another declaration")


def _refuse(judgement: Judgement, resolved: Resolved, body: object, language: str, *, is_known: bool) -> None:
    """Raises Invalid: the shape first, then who and what it speaks of."""
    faults = list(judgement.violations)
    if not faults and isinstance(body, dict):
        faults = [*declarations.meaning_faults(body, language), *resolved.violations]
        if not is_known:
            faults = [violation(f"{declarations.BODY}/company_number", "UNKNOWN_COMPANY", language)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)


async def _settle(tx: Tx, one: Recorded, refusal: PortolanError) -> None:
    told = {"code": refusal.code, "detail": refusal.detail, "facts": dict(refusal.facts)}
    await store.settle(tx, one.told.event_id, EventState.REFUSED, None, told)


async def _number(tx: Tx, document: Document) -> str:
    return str((await drawing.body_of(tx, document))["number"])


def _too_late(kind: DocumentType, document: Document, told: Told) -> Refused:
    expected = ", ".join(_expected(kind, document.state))
    facts = {"state": document.state, "event": told.event, "expected": expected}
    return Refused("INVALID_TRANSITION", "the declaration is past this event", facts=facts)


def _expected(kind: DocumentType, state: str) -> list[str]:
    return [event.upper() for event in kind.events_from(state)]


def _by(recorded: Recorded, language: str) -> By:
    teller = recorded.teller
    return By(teller.subject, teller.organisation_id, teller.agency, language)
