"""What intake says of a document it moved."""

from datetime import datetime

from kit import wire
from kit.outbox import OutboxEntry
from packs.model import Transition
from portolan.intake.v1 import events_pb2
from portolan.type.v1 import type_pb2

from intake.actions.register import TOPIC
from intake.domain.documents import Document
from intake.domain.imputations import Imputation
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
