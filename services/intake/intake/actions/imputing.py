"""Impute, reserve, cancel: customs takes quantities off a title and gives them back, under the title's row lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit import clock, ids, outbox
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Invalid, Malformed, NotFound, PortolanError, Refused
from packs.model import Transition

from intake.actions import accessing, conditions, facts, metrics, reading, settling
from intake.domain import imputations, representation
from intake.domain.conditions import IMPUTATION, declared
from intake.domain.documents import Document, Item, full_states, imputation_moves, release_moves
from intake.domain.imputations import Imputation, ImputationState, Terms
from intake.domain.rulebook import Rulebooks
from intake.domain.titles import NOTHING, Entry, TitleLine
from intake.domain.values import decimal_text, is_plain_text
from intake.store import documents, ledgers


@dataclass(frozen=True, slots=True)
class Imputed:
    imputation_json: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class By:
    """In whose name a ledger is written, and in what language a refusal is said."""

    subject: str
    organisation_id: str
    agency: str
    language: str

    @classmethod
    def of(cls, caller: Principal) -> By:
        return cls(caller.subject, caller.organisation_id, caller.agency, caller.language)

    @property
    def access(self) -> tuple[str, str, str]:
        return self.subject, self.organisation_id, self.agency


@dataclass(frozen=True, slots=True)
class Title:
    """A title under lock."""

    document: Document
    lines: Sequence[TitleLine]

    def with_line(self, changed: TitleLine) -> Title:
        return replace(self, lines=[changed if line.line == changed.line else line for line in self.lines])


async def impute(db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, request: bytes) -> Imputed:
    """The same declaration line again is the same answer. Raises Refused QUANTITY_EXCEEDED with what remains."""
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    book = rulebooks.of(document)
    today = clock.now().astimezone(book.timezone).date()
    terms = imputations.terms(request, book.members, caller.language, today)
    try:
        async with db.transaction() as tx:
            imputed = await take(tx, rulebooks, By.of(caller), document.id, terms)
    except PortolanError as error:
        metrics.IMPUTATIONS_TOTAL.labels("exceeded" if error.code == "QUANTITY_EXCEEDED" else "refused").inc()
        raise
    metrics.IMPUTATIONS_TOTAL.labels("replayed" if imputed.replayed else "imputed").inc()
    return imputed


async def take(tx: Tx, rulebooks: Rulebooks, by: By, document_id: str, terms: Terms) -> Imputed:
    """In the caller's transaction. Raises Refused, Invalid."""
    title = await locked(tx, document_id)
    earlier = await ledgers.imputation_of(tx, document_id, terms.declaration_number, terms.declaration_line)
    if earlier is not None and not _uses_reservation(earlier, terms):
        return _replay(earlier, terms)
    line = imputations.line_for(terms, title.lines, by.language)
    _refuse_untimely(rulebooks, title.document, line, terms, earlier)
    if earlier is not None and earlier.line != line.line:
        raise _reused()
    met = await conditions.hold(tx, rulebooks, title.document, IMPUTATION, declared(terms, line), by.language)
    changed, entries = _taken(line, terms, earlier)
    imputation = replace(_imputation(title.document, changed, terms, earlier), conditions_met=met)
    await ledgers.save_imputation(tx, imputation)
    await ledgers.save_line(tx, document_id, changed)
    await ledgers.book(tx, document_id, entries, imputation.id, by.subject, imputation.imputed_at)
    await settling.impute_again(tx, document_id)
    await _tell_imputed(tx, rulebooks, title.with_line(changed), imputation, by)
    return Imputed(representation.imputation_json(imputation), replayed=False)


def _uses_reservation(earlier: Imputation, terms: Terms) -> bool:
    return earlier.state is ImputationState.RESERVED and not terms.reserve


def _replay(earlier: Imputation, terms: Terms) -> Imputed:
    """Its first answer; a cancelled one is shown as it stands, so that nobody takes it for a quantity."""
    fingerprint, answer = earlier.earlier_answer(terms)
    if fingerprint != terms.fingerprint:
        raise _reused()
    if earlier.state is ImputationState.CANCELLED or answer is None:
        return Imputed(representation.imputation_json(earlier), replayed=True)
    return Imputed(answer.encode(), replayed=True)


def _reused() -> Invalid:
    return Invalid("IDEMPOTENCY_KEY_REUSED", "this declaration line was imputed with other content")


def _refuse_untimely(
    rulebooks: Rulebooks, document: Document, line: TitleLine, terms: Terms, reserved: Imputation | None
) -> None:
    """What is reserved is used up also when others have filled the title since."""
    book = rulebooks.of(document)
    kind = book.kind(document.type)
    imputed_in = full_states(kind) | frozenset(kind.impute_in) if reserved is not None else kind.impute_in
    if document.state not in imputed_in:
        line.refuse_used_up()
        facts_of_state = {"state": document.state}
        raise Refused("INVALID_TRANSITION", "the title cannot be imputed in this state", facts=facts_of_state)
    until = document.valid_until
    if until is not None and terms.registered_on > until.astimezone(book.timezone).date():
        raise Refused("INVALID_TRANSITION", "the title was no longer valid on the day of the declaration")


def _taken(line: TitleLine, terms: Terms, earlier: Imputation | None) -> tuple[TitleLine, list[Entry]]:
    if terms.reserve:
        return line.reserve(terms.quantity.value)
    return line.consume(terms.quantity.value, earlier.quantity if earlier is not None else NOTHING)


def _imputation(document: Document, line: TitleLine, terms: Terms, earlier: Imputation | None) -> Imputation:
    imputation = Imputation(
        id=earlier.id if earlier is not None else ids.new_id(),
        document_id=document.id,
        line=line.line,
        state=ImputationState.RESERVED if terms.reserve else ImputationState.CONSUMED,
        declaration_number=terms.declaration_number,
        declaration_line=terms.declaration_line,
        office=terms.office,
        registered_on=terms.registered_on,
        quantity=terms.quantity.value,
        unit=terms.quantity.unit,
        value=terms.value,
        imputed_at=clock.now(),
        remaining=line.remaining,
        reserved_fingerprint=earlier.reserved_fingerprint if earlier is not None else None,
        reserved_answer=earlier.reserved_answer if earlier is not None else None,
    )
    answer = representation.imputation_json(imputation).decode()
    if terms.reserve:
        return replace(imputation, reserved_fingerprint=terms.fingerprint, reserved_answer=answer)
    return replace(imputation, consumed_fingerprint=terms.fingerprint, consumed_answer=answer)


async def _tell_imputed(tx: Tx, rulebooks: Rulebooks, title: Title, imputation: Imputation, by: By) -> None:
    is_reservation = imputation.state is ImputationState.RESERVED
    kind = rulebooks.kind(title.document)
    moves = [] if is_reservation else imputation_moves(title.document, kind, title.lines)
    item = _item("reserved" if is_reservation else "imputed", imputation, by, imputation.imputed_at)
    await accessing.noted(tx, by.access, "impute_title", title.document.id)
    said = [] if is_reservation else [facts.title_imputed(title.document, imputation)]
    await _move(tx, rulebooks, title.document, moves, item, said)


async def cancel(
    db: Database, rulebooks: Rulebooks, caller: Principal, asked: str, imputation_id: str, reason: str
) -> bytes:
    """Gives the quantity back, once: cancelling again answers the same. Raises Refused while its value is paid."""
    if not reading.is_id(imputation_id):
        raise NotFound("NOT_FOUND")
    if not is_plain_text(reason):
        raise Malformed("MALFORMED", "the reason is not plain text, or too long")
    async with db.connection() as connection:
        document = await reading.visible(connection, asked, caller)
    async with db.transaction() as tx:
        title = await locked(tx, document.id)
        imputation = await ledgers.imputation(tx, document.id, imputation_id.lower())
        if imputation is None:
            raise NotFound("NOT_FOUND")
        if imputation.state is not ImputationState.CANCELLED:
            imputation = await give_back(tx, rulebooks, title, imputation, By.of(caller), reason)
    return representation.imputation_json(imputation)


async def give_back(
    tx: Tx, rulebooks: Rulebooks, title: Title, imputation: Imputation, by: By, reason: str
) -> Imputation:
    """In the caller's transaction, which holds the title."""
    now = clock.now()
    title.document.refuse_ended(rulebooks.kind(title.document))
    line = next(line for line in title.lines if line.line == imputation.line)
    was_consumed = imputation.state is ImputationState.CONSUMED
    give_back = line.release if was_consumed else line.release_reservation
    changed, entries = give_back(imputation.quantity)
    title = title.with_line(changed)
    cancelled = replace(imputation, state=ImputationState.CANCELLED, remaining=changed.remaining)
    await ledgers.save_imputation(tx, cancelled)
    await ledgers.save_line(tx, title.document.id, changed)
    await ledgers.book(tx, title.document.id, entries, imputation.id, by.subject, now)
    await settling.impute_again(tx, title.document.id)
    moves = release_moves(title.document, rulebooks.kind(title.document), title.lines) if was_consumed else []
    said = [facts.title_released(title.document, imputation, changed, now)] if was_consumed else []
    await accessing.noted(tx, by.access, "cancel_imputation", title.document.id)
    await _move(tx, rulebooks, title.document, moves, _item("released", cancelled, by, now, reason), said)
    return cancelled


async def _move(
    tx: Tx,
    rulebooks: Rulebooks,
    document: Document,
    moves: Sequence[Transition],
    item: Item,
    said: Sequence[outbox.OutboxEntry],
) -> None:
    """The document follows its ledger; timeline and outbox tell both."""
    entries = list(said)
    moved = document
    for move in moves:
        entries.append(facts.document_decided(moved, move, item.at))
        moved = moved.follow(rulebooks.kind(document), move, item.at)
    await documents.save(tx, moved, [item, *(item.moving(move) for move in moves)])
    await outbox.append_many(tx, entries)


def _item(kind: str, imputation: Imputation, by: By, at: datetime, reason: str = "") -> Item:
    detail = {
        "imputation_id": imputation.id,
        "declaration_number": imputation.declaration_number,
        "declaration_line": imputation.declaration_line,
        "title_line": imputation.line,
        "quantity": {"value": decimal_text(imputation.quantity), "unit": imputation.unit},
        "remaining": {"value": decimal_text(imputation.remaining), "unit": imputation.unit},
    }
    detail |= {"reason": reason} if reason else {}
    return Item(kind, at, actor=by.subject, agency=by.agency, detail=detail)


async def locked(tx: Tx, document_id: str) -> Title:
    document = await documents.lock(tx, document_id)
    if document is None:
        raise NotFound("NOT_FOUND")
    return Title(document, await ledgers.lines(tx, document_id))
