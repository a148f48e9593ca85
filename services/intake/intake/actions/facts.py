"""What intake says of a document it moved."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from kit import wire
from kit.outbox import OutboxEntry
from packs.model import Transition
from portolan.intake.v1 import events_pb2
from portolan.type.v1 import type_pb2

from intake.actions.register import TOPIC
from intake.domain.amendments import Amendment, Change
from intake.domain.documents import Document
from intake.domain.imputations import Imputation
from intake.domain.information import Request
from intake.domain.payments import Payment
from intake.domain.stages import Admitted
from intake.domain.titles import TitleLine
from intake.domain.values import decimal_text


def document_decided(document: Document, move: Transition, at: datetime, reason_code: str = "") -> OutboxEntry:
    message = events_pb2.DocumentDecided(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        from_state=move.from_,
        to_state=move.to,
        event=move.event,
        reason_code=reason_code,
        decided_at=wire.timestamp(at),
        pack_version=document.pack_version,
    )
    return OutboxEntry(TOPIC, document.id, message)


def document_withdrawn(document: Document, move: Transition, at: datetime, reason: str) -> OutboxEntry:
    message = events_pb2.DocumentWithdrawn(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        from_state=move.from_,
        to_state=move.to,
        reason=reason,
        withdrawn_at=wire.timestamp(at),
        pack_version=document.pack_version,
    )
    return OutboxEntry(TOPIC, document.id, message)


def document_cancelled(document: Document, move: Transition, at: datetime, reason: str) -> OutboxEntry:
    message = events_pb2.DocumentCancelled(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        from_state=move.from_,
        to_state=move.to,
        reason=reason,
        cancelled_at=wire.timestamp(at),
        pack_version=document.pack_version,
    )
    return OutboxEntry(TOPIC, document.id, message)


def amendment_proposed(document: Document, amendment: Amendment, steps: Sequence[str]) -> OutboxEntry:
    message = events_pb2.AmendmentProposed(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        pack_version=document.pack_version,
        version=amendment.version,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        proposed_by=amendment.proposed_by,
        proposed_at=wire.timestamp(amendment.proposed_at),
        facts_json=msgspec.json.encode(amendment.facts),
        changes=[_change(change) for change in amendment.changes],
        steps=steps,
        remarks=amendment.remarks,
    )
    return OutboxEntry(TOPIC, document.id, message)


def document_completed(document: Document, completed_by: str, at: datetime, facts_json: bytes) -> OutboxEntry:
    message = events_pb2.DocumentCompleted(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        rule_table=document.rule_table,
        pack_version=document.pack_version,
        version=document.version,
        state=document.state,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        completed_by=completed_by,
        completed_at=wire.timestamp(at),
        facts_json=facts_json,
    )
    return OutboxEntry(TOPIC, document.id, message)


def organisation_admitted(document: Document, admitted: Admitted, at: datetime) -> OutboxEntry:
    message = events_pb2.OrganisationAdmitted(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        name=admitted.name,
        kind=admitted.kind,
        company_number=admitted.company_number,
        billing_mode=admitted.billing_mode,
        admitted_at=wire.timestamp(at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def _change(change: Change) -> events_pb2.Change:
    before, after = msgspec.json.encode(change.before).decode(), msgspec.json.encode(change.after).decode()
    return events_pb2.Change(pointer=change.pointer, before_json=before, after_json=after)


def document_amended(document: Document, amendment: Amendment, at: datetime, resumes_at: str = "") -> OutboxEntry:
    message = events_pb2.DocumentAmended(
        document_id=document.id,
        version=amendment.version,
        facts_json=msgspec.json.encode(amendment.facts),
        amended_at=wire.timestamp(at),
        reference=document.reference,
        type=document.type,
        pack_version=document.pack_version,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        state=document.state,
        resumes_at=resumes_at,
    )
    return OutboxEntry(TOPIC, document.id, message)


def information_provided(document: Document, request: Request, provided_by: str, at: datetime) -> OutboxEntry:
    message = events_pb2.InformationProvided(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        information_request_id=request.id,
        task_id=request.task_id,
        agency=request.agency,
        step=request.step,
        answers=request.answers,
        provided_by=provided_by,
        provided_at=wire.timestamp(at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def title_imputed(document: Document, imputation: Imputation) -> OutboxEntry:
    message = events_pb2.TitleImputed(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        imputation_id=imputation.id,
        declaration_number=imputation.declaration_number,
        declaration_line=imputation.declaration_line,
        quantity=type_pb2.Quantity(value=decimal_text(imputation.quantity), unit=imputation.unit),
        remaining=type_pb2.Quantity(value=decimal_text(imputation.remaining), unit=imputation.unit),
        imputed_at=wire.timestamp(imputation.imputed_at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def title_released(document: Document, imputation: Imputation, line: TitleLine, at: datetime) -> OutboxEntry:
    message = events_pb2.TitleReleased(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        imputation_id=imputation.id,
        quantity=type_pb2.Quantity(value=decimal_text(imputation.quantity), unit=imputation.unit),
        remaining=type_pb2.Quantity(value=decimal_text(line.remaining), unit=imputation.unit),
        released_at=wire.timestamp(at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def title_paid(document: Document, payment: Payment) -> OutboxEntry:
    message = events_pb2.TitlePaid(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        payment_id=payment.id,
        payment_number=payment.payment_number,
        kind=payment.kind,
        amount=_money(payment.amount.amount_minor, payment.amount.currency),
        still_payable=_money(payment.remaining_minor, payment.amount.currency),
        paid_on=payment.paid_on.isoformat(),
        agency=payment.agency,
        recorded_at=wire.timestamp(payment.recorded_at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def title_payment_cancelled(document: Document, payment: Payment, at: datetime, reason: str) -> OutboxEntry:
    message = events_pb2.TitlePaymentCancelled(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        payment_id=payment.id,
        payment_number=payment.payment_number,
        amount=_money(payment.amount.amount_minor, payment.amount.currency),
        still_payable=_money(payment.remaining_minor, payment.amount.currency),
        agency=payment.agency,
        reason=reason,
        cancelled_at=wire.timestamp(at),
    )
    return OutboxEntry(TOPIC, document.id, message)


def _money(amount_minor: int, currency: str) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=amount_minor, currency=currency)
