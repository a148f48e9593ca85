"""Charge: each milestone once, in the transaction that remembers the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit import clock, ids, outbox, trace, wire
from kit.database import Tx
from kit.errors import NotFound
from packs.amendments import AMENDED
from portolan.billing.v1 import events_pb2

from billing.actions import crediting
from billing.actions.saying import TOPIC, money
from billing.domain.charges import Charge, Document, Milestone, charge_for
from billing.domain.prices import Price, PriceBook
from billing.store import charges as charge_store


async def enrol_payer(tx: Tx, organisation_id: str, billing_mode: str, activated_at: datetime) -> None:
    await charge_store.save_payer(tx, organisation_id, billing_mode, activated_at)


@dataclass(frozen=True)
class Submission:
    """`stated_mode`: how the payer was billed at that moment; None where the event does not tell."""

    document: Document
    stated_mode: str | None
    state: str
    occurred_at: datetime
    traceparent: str


async def charge_submissions(tx: Tx, book: PriceBook, submissions: Sequence[Submission]) -> None:
    """Remembers each payer's billing mode as it was at submission, for every later milestone of the document."""
    known = [
        replace(one.document, billing_mode=await _billing_mode(tx, one.document, one.stated_mode))
        for one in submissions
    ]
    await charge_store.save_documents(tx, known)
    milestones = [
        Milestone(document, one.state, one.occurred_at) for document, one in zip(known, submissions, strict=True)
    ]
    await _charge(tx, book, milestones, [one.traceparent for one in submissions])


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
    await _charge(tx, book, [replace(milestone, document=known)], [trace.current()])


async def _billing_mode(tx: Tx, document: Document, stated: str | None) -> str:
    mode = stated if stated is not None else await charge_store.billing_mode(tx, document.owner)
    if mode is None:
        raise NotFound("PAYER_UNKNOWN", f"document {document.id}: nobody said how {document.owner} is billed")
    return mode


async def _charge(tx: Tx, book: PriceBook, milestones: Sequence[Milestone], traces: Sequence[str]) -> None:
    """`traces`: each milestone's own."""
    recorded_at = clock.now()
    due = [
        (charge_for(price, milestone, ids.new_id(), recorded_at), traceparent)
        for milestone, traceparent in zip(milestones, traces, strict=True)
        for price in _prices(book, milestone)
    ]
    sequences = await charge_store.record(tx, [(charge, ids.new_id()) for charge, _ in due])
    new = [(charge, traceparent) for charge, traceparent in due if charge.id in sequences]
    said = [
        outbox.OutboxEntry(TOPIC, charge.document_id, _charge_recorded(charge, sequences[charge.id]), traceparent)
        for charge, traceparent in new
    ]
    await outbox.append_many(tx, said)
    await crediting.give_back_late(tx, [charge for charge, _ in new])


def _prices(book: PriceBook, milestone: Milestone) -> list[Price]:
    document = milestone.document
    wanted = (document.type, milestone.state, document.billing_mode, milestone.occurred_at)
    return book.due(*wanted, document.price_version)


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
