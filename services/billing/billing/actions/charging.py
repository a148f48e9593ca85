"""Charge: each milestone once, in the transaction that remembers the event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from kit import clock, ids, outbox, wire
from kit.database import Tx
from kit.errors import NotFound
from packs.amendments import AMENDED
from portolan.billing.v1 import events_pb2

from billing.actions import crediting
from billing.actions.saying import TOPIC, money
from billing.domain.charges import Charge, Document, Milestone, charge_for
from billing.domain.prices import PriceBook
from billing.store import charges as charge_store


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
    wanted = (document.type, milestone.state, document.billing_mode, milestone.occurred_at)
    for price in book.due(*wanted, document.price_version):
        charge = charge_for(price, milestone, ids.new_id(), recorded_at)
        sequence = await charge_store.record(tx, charge, ids.new_id())
        if sequence is not None:
            said = outbox.OutboxEntry(TOPIC, document.id, _charge_recorded(charge, sequence))
            await outbox.append_many(tx, [said])
            await crediting.give_back_late(tx, charge)


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
