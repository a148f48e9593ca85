"""Questions: what it would cost, what it cost, what is owed, whether the ledger is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from kit import clock, pages
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import NotFound, Unavailable
from kit.ids import is_identifier
from packs.model import Identity

from billing.actions.pricing import PriceDesk, midnight
from billing.domain.charges import Charge, quoted
from billing.domain.credits import Credit
from billing.domain.ledger import STATEMENT_LINES_MAX, LedgerCheck, Statement, receivable, statement
from billing.store import charges as charge_store
from billing.store import credits as credit_store
from billing.store import ledger as ledger_store
from billing.store import prices as price_store

SEES_ALL = ("finance_officer", "operator_admin")


async def quote(
    db: Database, desk: PriceDesk, caller: Principal, document_type: str, owner: str, price_version: str = ""
) -> list[Charge]:
    """What a document of this type costs its owner now; for a payer nobody enrolled, the price without a segment."""
    payer, now = owner or caller.organisation_id, clock.now()
    if payer and not is_identifier(payer):
        raise NotFound("NOT_FOUND")
    book = await desk.refresh(db)
    async with db.connection() as connection:
        mode = await charge_store.billing_mode(connection, payer)
    return [quoted(price, payer, now) for price in book.quote(document_type, mode or "", now, price_version)]


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


async def credits_of(db: Database, charges: Sequence[Charge]) -> Mapping[str, Sequence[Credit]]:
    """What was given back of charges that the caller may see, by charge."""
    if not charges:
        return {}
    async with db.connection() as connection:
        return await credit_store.credits_of(connection, [charge.id for charge in charges])


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
    return midnight(first, timezone), midnight(following, timezone)


async def check_ledger(db: Database) -> LedgerCheck:
    async with db.connection() as connection:
        return await ledger_store.check(connection)
