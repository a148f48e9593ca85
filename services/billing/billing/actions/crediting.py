"""Give back: a document moved as a refund policy says, or a charge came after it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit import clock, ids, outbox, wire
from kit.database import Tx
from kit.errors import Unavailable
from packs.model import Refund
from portolan.billing.v1 import events_pb2

from billing.actions.saying import TOPIC, money
from billing.domain.charges import Charge, Document
from billing.domain.credits import Credit, Ground, Move, credit_for, ground_of
from billing.store import charges as charge_store
from billing.store import credits as store


@dataclass(frozen=True)
class RefundBook:
    """The policies of each pack version, in the order in which they came into force."""

    by_version: Mapping[str, Sequence[Refund]] = field(default_factory=dict)

    def of(self, document: Document) -> Sequence[Refund]:
        """Raises Unavailable for a version that is not loaded yet: what is owed back waits, it is not forgotten."""
        if not self.by_version:
            raise Unavailable("NO_PRICE_VERSION", "no pack was loaded yet")
        if not document.pack_version:
            return list(self.by_version.values())[-1]
        if document.pack_version not in self.by_version:
            raise Unavailable("NO_PRICE_VERSION", f"pack {document.pack_version} is not loaded yet")
        return self.by_version[document.pack_version]


def gives_back(book: RefundBook, move: Move) -> bool:
    """Whether the move may be one after which something is given back."""
    document = move.document
    return not document.pack_version or bool(_meant(book, document, move))


def _meant(book: RefundBook, document: Document, move: Move) -> list[Refund]:
    return [one for one in book.of(document) if one.applies(document.type, move.event, move.from_state)]


async def refund(tx: Tx, book: RefundBook, move: Move) -> None:
    """Once for each policy and charge, by the policies of the pack that the document was submitted under."""
    document = move.document
    if not document.pack_version:
        document = await charge_store.document(tx, document.id) or document
    meant = _meant(book, document, move)
    if not meant:
        return
    await store.hold(tx, document.id)
    charges = await charge_store.charges_of_document(tx, document.id)
    for one in meant:
        ground = ground_of(one, move)
        if await store.add_ground(tx, ground, clock.now()):
            for charge in charges:
                await _give_back(tx, charge, ground)


async def give_back_late(tx: Tx, charges: Sequence[Charge]) -> None:
    """Of what is charged after its refund was heard. Their documents are held."""
    if not charges:
        return
    grounds = await store.grounds(tx, {charge.document_id for charge in charges})
    for charge in charges:
        for ground in grounds.get(charge.document_id, ()):
            await _give_back(tx, charge, ground)


async def _give_back(tx: Tx, charge: Charge, ground: Ground) -> None:
    if not ground.concerns(charge):
        return
    credit = credit_for(charge, ground, await store.returned(tx, charge), ids.new_id(), clock.now())
    if credit is None:
        return
    sequence = await store.record(tx, credit, charge, ids.new_id())
    if sequence is not None:
        await outbox.append_many(tx, [outbox.OutboxEntry(TOPIC, charge.document_id, _noted(credit, charge, sequence))])


def _noted(credit: Credit, charge: Charge, payer_sequence: int) -> events_pb2.CreditNoted:
    return events_pb2.CreditNoted(
        credit_id=credit.id,
        charge_id=credit.charge_id,
        tariff=charge.tariff,
        policy=credit.policy,
        event=credit.event,
        document_id=charge.document_id,
        reference=charge.reference,
        payer_organisation_id=charge.payer,
        amount=money(credit.gross),
        net=money(credit.net),
        vat=money(credit.vat),
        occurred_at=wire.timestamp(credit.occurred_at),
        recorded_at=wire.timestamp(credit.recorded_at),
        payer_sequence=payer_sequence,
    )
