"""Pay, take back, show: the title's own bank keeps its settlement ledger, under the title's row lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from kit import clock, ids, outbox
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Forbidden, Invalid, Malformed, NotFound, PortolanError, Refused
from packs.model import Settlement as Terms

from intake.actions import accessing, facts, metrics, reading
from intake.actions.reading import Seen
from intake.domain import payment_representation, payments
from intake.domain.documents import Document, Item
from intake.domain.payments import Order, Payment, PaymentState
from intake.domain.rulebook import Rulebooks
from intake.domain.settlements import Settlement, admitted
from intake.domain.values import is_plain_text
from intake.store import documents, ledgers
from intake.store import settlements as store

CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Paid:
    payment_json: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class Account:
    """A title's settlement as it stands; `facts` are those of its current version."""

    document: Document
    terms: Terms
    facts: Mapping[str, Any]
    settlement: Settlement

    @property
    def recorder(self) -> str:
        return str(self.facts.get(self.terms.recorder) or "")

    def require_recorder(self, caller: Principal) -> None:
        """Raises Forbidden for who may see the title, and is not its bank."""
        if caller.agency != self.recorder or self.terms.role not in caller.roles:
            raise Forbidden("FORBIDDEN", "only the title's own bank keeps its payments")

    def require_own(self, caller: Principal, payment: Payment) -> None:
        """Raises Forbidden: what a bank recorded it alone takes back, also when the title has changed banks since."""
        if caller.agency != payment.agency or self.terms.role not in caller.roles:
            raise Forbidden("FORBIDDEN", "only the bank that recorded a payment takes it back")


async def account(tx: Tx, rulebooks: Rulebooks, document: Document) -> Account:
    """Raises NotFound for documents that nothing is paid of."""
    terms = rulebooks.kind(document).settlement
    if terms is None:
        raise NotFound("NOT_FOUND", "this document has no settlement")
    found = await facts_of(tx, rulebooks, document)
    known = await store.settlement(tx, document.id)
    return Account(document, terms, found, known or await _unopened(tx, document, terms, found))


async def facts_of(tx: Tx, rulebooks: Rulebooks, document: Document) -> dict[str, Any]:
    body, _ = await documents.content(tx, document.id, document.version)
    rules = rulebooks.of(document).rules(document.type, "")
    return rules.derived(msgspec.json.decode(body), clock.now())


async def _unopened(tx: Tx, document: Document, terms: Terms, found: Mapping[str, Any]) -> Settlement:
    lines = await ledgers.lines(tx, document.id)
    may = admitted(terms, found, [line.hs_code for line in lines])
    if may is None:
        raise NotFound("NOT_FOUND", "this document has no amount")
    return Settlement(may, await store.imputed_minor(tx, document.id, may.currency))


async def pay(db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, request: bytes) -> Paid:
    """The same number again is the same answer. Raises Refused PAYMENT_EXCEEDED with what may still be paid."""
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    book = rulebooks.of(document)
    order = payments.order(request, book.members, caller.language, clock.now().astimezone(book.timezone).date())
    try:
        async with db.transaction() as tx:
            paid = await _pay(tx, rulebooks, caller, document.id, order)
    except PortolanError as error:
        metrics.PAYMENTS_TOTAL.labels("exceeded" if error.code == "PAYMENT_EXCEEDED" else "refused").inc()
        raise
    metrics.PAYMENTS_TOTAL.labels("replayed" if paid.replayed else "recorded").inc()
    return paid


async def _pay(tx: Tx, rulebooks: Rulebooks, caller: Principal, document_id: str, order: Order) -> Paid:
    held = await account(tx, rulebooks, await _locked(tx, document_id))
    earlier = await store.payment_numbered(tx, document_id, order.payment_number)
    if earlier is not None and earlier.agency == caller.agency:
        return _replay(earlier, order)
    held.require_recorder(caller)
    if earlier is not None:
        raise _reused()
    if held.document.state not in held.terms.pay_in:
        told = {"state": held.document.state}
        raise Refused("INVALID_TRANSITION", "nothing is paid of the title in this state", facts=told)
    order.refuse_other_currency(held.settlement.admitted.currency, caller.language)
    return await _record(tx, held, caller, order)


def _replay(earlier: Payment, order: Order) -> Paid:
    """Its first answer; a cancelled one is shown as it stands."""
    if earlier.fingerprint != order.fingerprint:
        raise _reused()
    if earlier.state is PaymentState.CANCELLED:
        return Paid(payment_representation.payment_json(earlier), replayed=True)
    return Paid(earlier.answer.encode(), replayed=True)


def _reused() -> Invalid:
    return Invalid("IDEMPOTENCY_KEY_REUSED", "this payment number was used with other content")


async def _record(tx: Tx, held: Account, caller: Principal, order: Order) -> Paid:
    settlement = held.settlement.pay(order.kind, order.amount.amount_minor)
    payment = Payment(
        id=ids.new_id(),
        document_id=held.document.id,
        payment_number=order.payment_number,
        kind=order.kind,
        state=PaymentState.RECORDED,
        paid_on=order.paid_on,
        amount=order.amount,
        agency=caller.agency,
        recorded_at=clock.now(),
        remaining_minor=settlement.remaining_minor,
        fingerprint=order.fingerprint,
    )
    payment = replace(payment, answer=payment_representation.payment_json(payment).decode())
    await store.save(tx, held.document.id, settlement)
    await store.save_payment(tx, payment)
    await store.book(tx, payment, payment.kind, caller.subject, payment.recorded_at)
    await accessing.wrote(tx, caller, "record_payment", held.document.id)
    await documents.save(tx, held.document, [_item("paid", payment, caller, payment.recorded_at)])
    await outbox.append_many(tx, [facts.title_paid(held.document, payment)])
    return Paid(payment.answer.encode(), replayed=False)


async def cancel(
    db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, payment_id: str, reason: str
) -> bytes:
    """Takes a payment back, once: cancelling again answers the same."""
    if not reading.is_id(payment_id):
        raise NotFound("NOT_FOUND")
    if not is_plain_text(reason):
        raise Malformed("MALFORMED", "the reason is not plain text, or too long")
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    async with db.transaction() as tx:
        held = await account(tx, rulebooks, await _locked(tx, document.id))
        payment = await store.payment(tx, document.id, payment_id.lower())
        if payment is None:
            held.require_recorder(caller)
            raise NotFound("NOT_FOUND")
        held.require_own(caller, payment)
        if payment.state is PaymentState.RECORDED:
            payment = await _take_back(tx, rulebooks, held, payment, caller, reason)
    return payment_representation.payment_json(payment)


async def _take_back(
    tx: Tx, rulebooks: Rulebooks, held: Account, payment: Payment, caller: Principal, reason: str
) -> Payment:
    now, document = clock.now(), held.document
    document.refuse_ended(rulebooks.kind(document))
    settlement = held.settlement.give_back(payment.amount.amount_minor)
    cancelled = replace(payment, state=PaymentState.CANCELLED, remaining_minor=settlement.remaining_minor)
    await store.save(tx, document.id, settlement)
    await store.save_payment(tx, cancelled)
    await store.book(tx, cancelled, CANCELLED, caller.subject, now)
    await accessing.wrote(tx, caller, "cancel_payment", document.id)
    await documents.save(tx, document, [_item("payment_cancelled", cancelled, caller, now, reason)])
    await outbox.append_many(tx, [facts.title_payment_cancelled(document, cancelled, now, reason)])
    return cancelled


async def show(db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, seen: Seen = reading.unseen) -> bytes:
    """Raises NotFound also for documents that nothing is paid of."""
    async with documents.snapshot(db) as tx:
        document = await reading.visible(tx, asked, caller)
        held = await account(tx, rulebooks, document)
        seen(document.id)
        told = await store.payments(tx, document.id), await store.entries(tx, document.id)
        return payment_representation.settlement_json(document, held.terms.direction, held.settlement, *told)


async def impute_again(tx: Tx, document_id: str) -> None:
    """Customs moved its ledger in this transaction: what may be paid follows. Raises Refused IMPUTATION_PAID."""
    known = await store.settlement(tx, document_id)
    if known is not None:
        imputed = await store.imputed_minor(tx, document_id, known.admitted.currency)
        await store.save(tx, document_id, known.impute_again(imputed))


async def refuse_paid(tx: Tx, document_id: str) -> None:
    known = await store.settlement(tx, document_id)
    if known is not None and known.paid_minor:
        told = {"paid_minor": str(known.paid_minor), "currency": known.admitted.currency}
        raise Refused("INVALID_TRANSITION", "a part of this title is paid", facts=told)


async def amended(tx: Tx, document_id: str, terms: Terms | None, asked: Mapping[str, Any]) -> Settlement | None:
    """The account as a new version's facts want it, None where none is open. Raises Refused BELOW_PAID."""
    known = await store.settlement(tx, document_id) if terms is not None else None
    if known is None or terms is None:
        return None
    may = admitted(terms, asked, [line.hs_code for line in await ledgers.lines(tx, document_id)])
    return known.amend(may, terms) if may is not None else known


def _item(kind: str, payment: Payment, caller: Principal, at: Any, reason: str = "") -> Item:
    detail = {
        "payment_id": payment.id,
        "payment_number": payment.payment_number,
        "kind": payment.kind,
        "amount": {"amount_minor": payment.amount.amount_minor, "currency": payment.amount.currency},
        "remaining": {"amount_minor": payment.remaining_minor, "currency": payment.amount.currency},
    }
    detail |= {"reason": reason} if reason else {}
    return Item(kind, at, actor=caller.subject, agency=caller.agency, detail=detail)


async def _locked(tx: Tx, document_id: str) -> Document:
    document = await documents.lock(tx, document_id)
    if document is None:
        raise NotFound("NOT_FOUND")
    return document
