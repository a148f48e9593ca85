"""What billing does: publish prices, enrol payers, charge milestones, quote, state accounts, check the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import msgspec
from kit import clock, ids, outbox, pack_versions, pages, wire
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Conflict, NotFound, Unavailable
from kit.ids import is_identifier
from packs.amendments import AMENDED
from packs.model import Identity, Pack, TariffVersion
from portolan.billing.v1 import events_pb2
from portolan.type.v1 import type_pb2

from billing.domain.charges import Charge, Document, Milestone, charge_for, quoted
from billing.domain.ledger import STATEMENT_LINES_MAX, LedgerCheck, Statement, receivable, statement
from billing.domain.money import Money
from billing.domain.prices import (
    PriceBook,
    PriceVersion,
    TariffItem,
    refuse_absurd_rates,
    refuse_overlaps_and_holes,
)
from billing.store import charges as charge_store
from billing.store import ledger as ledger_store
from billing.store import prices as price_store

TOPIC = "portolan.billing.charge.v1"
SEES_ALL = ("finance_officer", "operator_admin")


# --- the price book


async def load_pack(db: Database, pack: Pack) -> None:
    """Publishes the pack's prices. Again is nothing; the same pack version with other content is refused."""
    part = {"identity": pack.identity, "tariff": pack.tariff}
    content = msgspec.json.encode(part, order="deterministic").decode()
    async with db.transaction() as tx:
        await price_store.lock_price_book(tx)
        if await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, content):
            await _publish(tx, [_price_version(version, pack.timezone) for version in pack.tariff])


async def _publish(tx: Tx, versions: Sequence[PriceVersion]) -> None:
    published = {version.version: version for version in (await price_store.price_book(tx)).versions}
    for version in versions:
        refuse_absurd_rates(version)
    refuse_overlaps_and_holes([*{**published, **{version.version: version for version in versions}}.values()])
    for version in sorted(versions, key=lambda version: version.effective_from):
        if version.version not in published:
            await price_store.insert_version(tx, version)
        elif published[version.version] != version:
            await _close(tx, published[version.version], version)


async def _close(tx: Tx, published: PriceVersion, closed: PriceVersion) -> None:
    """The only change a published version knows: an end, after the last thing priced by it."""
    end = closed.effective_to
    if end is None or published.effective_to is not None or replace(published, effective_to=end) != closed:
        raise Conflict("PRICE_VERSION_CHANGED", f"price version {closed.version} was published otherwise")
    if await price_store.has_charges_from(tx, closed.version, end):
        raise Conflict("PRICE_VERSION_CHANGED", f"price version {closed.version} has charges after its new end")
    await price_store.close_version(tx, closed.version, end)


def _price_version(version: TariffVersion, timezone: str) -> PriceVersion:
    return PriceVersion(
        version=version.version,
        effective_from=_midnight(version.effective_from, timezone),
        effective_to=_midnight(version.effective_to, timezone) if version.effective_to else None,
        currency=version.currency,
        vat_rate=version.vat_rate,
        items=[
            TariffItem(
                code=item.code,
                labels=item.labels,
                net=Money(item.net_minor, version.currency),
                document_type=item.document_type or "",
                billed_at=item.billed_at or "",
                segments=item.segments,
            )
            for item in sorted(version.items, key=lambda item: item.code)
        ],
    )


def _midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(timezone))


@dataclass
class PriceDesk:
    """The price book in force, read again whenever a pack was loaded since."""

    book: PriceBook = field(default_factory=PriceBook)
    packs_seen: int = 0

    async def refresh(self, db: Database) -> PriceBook:
        async with db.connection() as connection:
            packs = await pack_versions.number_kept(connection)
            if packs != self.packs_seen:
                self.book, self.packs_seen = await price_store.price_book(connection), packs
        return self.book


# --- charging: each runs in the transaction that remembers the event


async def enrol_payer(tx: Tx, organisation_id: str, billing_mode: str, activated_at: datetime) -> None:
    await charge_store.save_payer(tx, organisation_id, billing_mode, activated_at)


async def charge_submission(
    tx: Tx, book: PriceBook, document: Document, stated_mode: str | None, state: str, occurred_at: datetime
) -> None:
    """Remembers the payer's billing mode as it was at submission, for every later milestone of the document."""
    known = replace(document, billing_mode=await _billing_mode(tx, document, stated_mode))
    await charge_store.save_document(tx, known)
    await _charge(tx, book, Milestone(known, state, occurred_at))


async def charge_decision(tx: Tx, book: PriceBook, document: Document, state: str, occurred_at: datetime) -> None:
    await _charge_known(tx, book, Milestone(document, state, occurred_at))


async def charge_amendment(tx: Tx, book: PriceBook, document: Document, version: int, occurred_at: datetime) -> None:
    """Each version that took effect, once."""
    await _charge_known(tx, book, Milestone(document, AMENDED, occurred_at, str(version)))


async def _charge_known(tx: Tx, book: PriceBook, milestone: Milestone) -> None:
    """As the payer was billed when the document was submitted."""
    document = milestone.document
    if not book.bills(document.type, milestone.state):
        return
    known = await charge_store.document(tx, document.id)
    if known is None:
        known = replace(document, billing_mode=await _billing_mode(tx, document, None))
    await _charge(tx, book, replace(milestone, document=known))


async def _billing_mode(tx: Tx, document: Document, stated: str | None) -> str:
    mode = stated if stated is not None else await charge_store.billing_mode(tx, document.owner)
    if mode is None:
        raise NotFound("PAYER_UNKNOWN", f"document {document.id}: nobody said how {document.owner} is billed")
    return mode


async def _charge(tx: Tx, book: PriceBook, milestone: Milestone) -> None:
    document, recorded_at = milestone.document, clock.now()
    said = []
    for price in book.due(document.type, milestone.state, document.billing_mode, milestone.occurred_at):
        charge = charge_for(price, milestone, ids.new_id(), recorded_at)
        sequence = await charge_store.record(tx, charge, ids.new_id())
        if sequence is not None:
            said.append(outbox.OutboxEntry(TOPIC, document.id, _charge_recorded(charge, sequence)))
    await outbox.append_many(tx, said)


def _charge_recorded(charge: Charge, payer_sequence: int) -> events_pb2.ChargeRecorded:
    return events_pb2.ChargeRecorded(
        charge_id=charge.id,
        tariff=charge.tariff,
        document_id=charge.document_id,
        reference=charge.reference,
        milestone=charge.milestone,
        payer_organisation_id=charge.payer,
        amount=money(charge.gross),
        net=money(charge.net),
        vat=money(charge.vat),
        price_version=charge.price_version,
        occurred_at=wire.timestamp(charge.occurred_at),
        recorded_at=wire.timestamp(charge.recorded_at),
        payer_sequence=payer_sequence,
    )


def money(money: Money) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)


# --- questions


async def quote(db: Database, desk: PriceDesk, caller: Principal, document_type: str, owner: str) -> list[Charge]:
    """What a document of this type costs its owner now; for a payer nobody enrolled, the price without a segment."""
    payer, now = owner or caller.organisation_id, clock.now()
    if payer and not is_identifier(payer):
        raise NotFound("NOT_FOUND")
    book = await desk.refresh(db)
    async with db.connection() as connection:
        mode = await charge_store.billing_mode(connection, payer)
    return [quoted(price, payer, now) for price in book.quote(document_type, mode or "", now)]


async def list_charges(
    db: Database, caller: Principal, document_id: str, cursor: str, limit: int
) -> tuple[list[Charge], str]:
    filters = {"list": "charges", "organisation": caller.organisation_id, "document": document_id}
    position = pages.decode(cursor, filters, tuple[str])
    if document_id and not is_identifier(document_id):
        return [], ""
    before, wanted = (position[0] if position else None), pages.limit(limit)
    async with db.connection() as connection:
        found = await _visible_charges(connection, caller, document_id, before, wanted + 1)
    more = len(found) > wanted
    return found[:wanted], pages.encode(filters, [found[wanted - 1].id]) if more else ""


async def _visible_charges(tx: Tx, caller: Principal, document_id: str, before: str | None, limit: int) -> list[Charge]:
    if caller.has(*SEES_ALL):
        return await charge_store.charges(tx, document_id, before, limit)
    return await charge_store.charges_of(tx, caller.organisation_id, document_id, before, limit)


async def current_statement(db: Database, caller: Principal, organisation_id: str) -> Statement:
    """The calendar month in the pack's time zone. Another organisation's account is not the caller's to know."""
    of = organisation_id or caller.organisation_id
    if not is_identifier(of) or (of != caller.organisation_id and not caller.has(*SEES_ALL)):
        raise NotFound("NOT_FOUND")
    async with db.transaction() as tx:
        await ledger_store.hold_still(tx)
        identity = await price_store.latest_identity(tx)
        if identity is None:
            raise Unavailable("NO_PRICE_VERSION", "no pack was loaded yet")
        return await _statement(tx, of, identity)


async def _statement(tx: Tx, organisation_id: str, identity: Identity) -> Statement:
    account, period = receivable(organisation_id, identity.currency), _month(clock.now(), identity.timezone)
    opening = await ledger_store.balance_before(tx, account, period[0])
    closing = await ledger_store.balance_before(tx, account, period[1])
    latest = await ledger_store.latest_postings(tx, account, period, STATEMENT_LINES_MAX)
    return statement(organisation_id, period, opening, closing, latest)


def _month(now: datetime, timezone: str) -> tuple[datetime, datetime]:
    first = now.astimezone(ZoneInfo(timezone)).date().replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return _midnight(first, timezone), _midnight(following, timezone)


async def check_ledger(db: Database) -> LedgerCheck:
    async with db.connection() as connection:
        return await ledger_store.check(connection)
