"""Write drafts: as loosely as one likes, told what is still missing, bounded in number, forgotten when left."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kit import clock, ids, pages, telemetry
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Forbidden, Invalid, Malformed, NotFound, Refused, Unavailable, Violation
from packs import Pack

from intake.actions import reading, referring
from intake.actions.directory import Directory
from intake.actions.referring import Referrer
from intake.domain import draft_views, drafts, envelope
from intake.domain.drafts import Content, Draft, PriceLock, Source
from intake.domain.parties import Filing
from intake.domain.rulebook import Candidate, Rulebooks
from intake.domain.values import is_plain_text
from intake.domain.wording import violation
from intake.store import drafts as store
from intake.store.drafts import Filter

TYPE_FILTER_CHARS_MAX = 80
SWEEP_EVERY_S = 60.0
SWEPT_AT_ONCE_MAX = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """`open_max`: drafts an organisation may have written and not yet submitted."""

    open_max: int
    kept: timedelta


@dataclass(frozen=True, slots=True)
class Shown:
    draft_id: str
    draft_json: bytes
    etag: str


class DraftDesk:
    def __init__(self, db: Database, rulebooks: Rulebooks, directory: Directory, limits: Limits) -> None:
        self._db = db
        self._rulebooks = rulebooks
        self._directory = directory
        self._limits = limits

    async def create(self, caller: Principal, request: bytes, key: str) -> Shown:
        """The same key again is the same draft, as it stands. Raises Forbidden without a mandate for its owner."""
        return await self.add(caller, drafts.read(request, caller.language), None, key, request)

    async def add(self, caller: Principal, content: Content, source: Source | None, key: str, request: bytes) -> Shown:
        if key:
            envelope.idempotency_key(key)
        filing = await self._filing(caller, content.on_behalf_of or caller.organisation_id, content.type)
        now = clock.now()
        book = self._rulebooks.in_force(now)
        book.filed_by_traders(content.type, caller.language)
        draft = _new(caller, content, filing.owner.organisation_id, source, now, _price_lock(book.pack, now))
        async with self._db.transaction() as tx:
            draft = await self._kept(tx, draft, key, hashlib.sha256(request).digest())
        return await self._shown(caller, draft)

    async def _kept(self, tx: Tx, draft: Draft, key: str, fingerprint: bytes) -> Draft:
        number = await store.hold_number(tx, draft.writer_organisation_id)
        known = await store.by_key(tx, draft.writer_organisation_id, key)
        if known is not None:
            if known[1] != fingerprint:
                raise Invalid("IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used for another request")
            return known[0]
        if number >= self._limits.open_max:
            raise Refused("TOO_MANY_DRAFTS", f"at most {self._limits.open_max} at once: submit or delete some first")
        await store.add(tx, draft, key, fingerprint)
        return draft

    async def read(self, caller: Principal, draft_id: str) -> Shown:
        return await self._shown(caller, await self.find(caller, draft_id))

    async def find(self, caller: Principal, draft_id: str) -> Draft:
        """Raises NotFound for others than its owner and who wrote it."""
        async with self._db.connection() as connection:
            found = await store.find(connection, _id(draft_id), caller.organisation_id)
        if found is None:
            raise NotFound("NOT_FOUND")
        return found

    async def change(self, caller: Principal, draft_id: str, if_match: str, request: bytes, *, merge: bool) -> Shown:
        seen = await self.find(caller, draft_id)
        seen.require_match(if_match)
        seen.require_open()
        content = self._asked(seen, caller, request, merge=merge)
        self._rulebooks.in_force(clock.now()).filed_by_traders(content.type, caller.language)
        owner = content.on_behalf_of or caller.organisation_id
        if owner != seen.owner_organisation_id and caller.organisation_id != seen.writer_organisation_id:
            raise Forbidden("FORBIDDEN", "only who wrote a draft may give it to somebody else")
        await self._filing(caller, owner, content.type)
        changed = seen.rewritten(content, owner, caller.language, clock.now())
        async with self._db.transaction() as tx:
            await self._locked(tx, caller, seen)
            await store.save(tx, changed)
        return await self._shown(caller, changed)

    def _asked(self, draft: Draft, caller: Principal, request: bytes, *, merge: bool) -> Content:
        if merge:
            return drafts.patched(draft, caller.organisation_id, request, caller.language)
        return drafts.read(request, caller.language)

    async def delete(self, caller: Principal, draft_id: str, if_match: str) -> None:
        seen = await self.find(caller, draft_id)
        seen.require_match(if_match)
        async with self._db.transaction() as tx:
            (await self._locked(tx, caller, seen)).require_open()
            await store.delete(tx, seen.id)

    async def _locked(self, tx: Tx, caller: Principal, seen: Draft) -> Draft:
        """As it was seen. Raises NotFound, PreconditionFailed."""
        locked = await store.lock(tx, seen.id, caller.organisation_id)
        if locked is None:
            raise NotFound("NOT_FOUND")
        if locked.revision != seen.revision:
            raise drafts.changed_meanwhile()
        return locked

    async def page(self, caller: Principal, asked: Filter, cursor: str, limit: int) -> tuple[Sequence[bytes], str]:
        """Newest first, without bodies."""
        if not is_plain_text(asked.type, TYPE_FILTER_CHARS_MAX):
            raise Malformed("MALFORMED", "a filter is not plain text, or too long")
        filters = {"list": "drafts", "type": asked.type, "templates": str(asked.templates_only)}
        before, most = reading.position(pages.decode(cursor, filters)), pages.limit(limit)
        async with self._db.connection() as connection:
            found = await store.newest_first(connection, caller.organisation_id, asked, before, most + 1)
        following = pages.encode(filters, [found[most - 1].id]) if len(found) > most else ""
        return [draft_views.draft_summary_json(one) for one in found[:most]], following

    async def _shown(self, caller: Principal, draft: Draft) -> Shown:
        errors = await self._errors(caller, draft)
        return Shown(draft.id, draft_views.draft_json(draft, errors), draft.etag)

    async def _errors(self, caller: Principal, draft: Draft) -> Sequence[Violation]:
        """What submitting it now would be refused for."""
        language, now = caller.language, clock.now()
        if draft.document_id:
            return []
        try:
            filing = await self._filing(caller, draft.owner_organisation_id, draft.type)
            rules = self._rulebooks.in_force(now).rules(draft.type, language)
        except Forbidden:
            return [violation("/on_behalf_of", "MANDATE_REQUIRED", language)]
        except Invalid as unknown:
            return unknown.violations
        judgement = rules.judge(Candidate("", draft.body, filing, now, language))
        referrer = Referrer(caller, draft.owner_organisation_id, "", language)
        return [*judgement.violations, *(await referring.resolved(self._db, referrer, judgement)).violations]

    async def _filing(self, caller: Principal, owner: str, document_type: str) -> Filing:
        return await self._directory.filing(owner, caller.organisation_id, caller.subject, document_type)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP_EVERY_S)
                return
            try:
                await self.sweep()
            except Unavailable as error:
                telemetry.log().warning("drafts_wait", reason=str(error))

    async def sweep(self) -> int:
        """Raises Unavailable."""
        async with self._db.transaction() as tx:
            swept = await store.sweep(tx, clock.now() - self._limits.kept, SWEPT_AT_ONCE_MAX)
        if swept:
            telemetry.log().info("drafts_swept", count=swept)
        return swept


def _id(draft_id: str) -> str:
    """Raises NotFound for what is none."""
    if not reading.is_id(draft_id):
        raise NotFound("NOT_FOUND")
    return draft_id.lower()


def _price_lock(pack: Pack, now: datetime) -> PriceLock | None:
    """By the day it is where the country is, until that many days later at this hour."""
    version = pack.tariff_on(now.astimezone(ZoneInfo(pack.timezone)).date())
    if version is None or not version.price_lock_days:
        return None
    return PriceLock(version.version, now + timedelta(days=version.price_lock_days))


def _new(
    caller: Principal, content: Content, owner: str, source: Source | None, now: datetime, lock: PriceLock | None
) -> Draft:
    return Draft(
        id=ids.new_id(),
        type=content.type,
        owner_organisation_id=owner,
        writer_organisation_id=caller.organisation_id,
        written_by=caller.subject,
        label=content.label,
        is_template=content.is_template,
        body=content.body,
        copied_from=source,
        created_at=now,
        updated_at=now,
        price_lock=lock,
    )
