"""What billing hears: event → action, in the transaction that remembers the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from kit import strict_json, wire
from kit.consumer import Handler, Heard, Prepare
from kit.database import Database, Tx
from kit.events import Event
from portolan.identity.v1 import events_pb2 as identity
from portolan.intake.v1 import events_pb2 as intake

from billing import actions
from billing.domain.charges import Document
from billing.domain.credits import Move

GROUP = "billing"
# The moves that these events are, in the words of every type.
WITHDRAW, CANCEL = "withdraw", "cancel"
AboutDocument = (
    intake.DocumentSubmitted
    | intake.DocumentDecided
    | intake.DocumentAmended
    | intake.DocumentWithdrawn
    | intake.DocumentCancelled
)
TOPICS = ("portolan.identity.organisation.v1", "portolan.intake.document.v1")


def prepare(db: Database, desk: actions.PriceDesk) -> Prepare:
    async def refresh(heard: Sequence[Heard]) -> None:
        await desk.refresh(db)

    return refresh


def handlers(desk: actions.PriceDesk) -> Mapping[type[Message], Handler]:
    async def activated(tx: Tx, event: Event, said: identity.OrganisationActivated) -> None:
        await actions.enrol_payer(tx, said.organisation_id, said.billing_mode, wire.moment(said.activated_at))

    async def submitted(tx: Tx, event: Event, said: intake.DocumentSubmitted) -> None:
        mode, document = _stated_mode(said.facts_json), replace(_document(said), price_version=said.price_version)
        await actions.charge_submission(tx, desk.book, document, mode, said.state, wire.moment(said.submitted_at))

    async def decided(tx: Tx, event: Event, said: intake.DocumentDecided) -> None:
        document, at = _document(said), wire.moment(said.decided_at)
        await actions.charge_decision(tx, desk.book, document, said.to_state, at)
        await actions.refund(tx, desk.refunds, Move(document, said.event, said.from_state, at))

    async def amended(tx: Tx, event: Event, said: intake.DocumentAmended) -> None:
        await actions.charge_amendment(tx, desk.book, _document(said), said.version, wire.moment(said.amended_at))

    async def withdrawn(tx: Tx, event: Event, said: intake.DocumentWithdrawn) -> None:
        move = Move(_document(said), WITHDRAW, said.from_state, wire.moment(said.withdrawn_at))
        await actions.refund(tx, desk.refunds, move)

    async def cancelled(tx: Tx, event: Event, said: intake.DocumentCancelled) -> None:
        move = Move(_document(said), CANCEL, said.from_state, wire.moment(said.cancelled_at))
        await actions.refund(tx, desk.refunds, move)

    return {
        identity.OrganisationActivated: activated,
        intake.DocumentSubmitted: submitted,
        intake.DocumentDecided: decided,
        intake.DocumentAmended: amended,
        intake.DocumentWithdrawn: withdrawn,
        intake.DocumentCancelled: cancelled,
    }


def _document(said: AboutDocument) -> Document:
    return Document(
        id=said.document_id,
        reference=said.reference,
        type=said.type,
        owner=said.owner_organisation_id,
        submitter=said.submitter_organisation_id,
        billing_mode="",
        pack_version=said.pack_version,
    )


def _stated_mode(facts_json: bytes) -> str | None:
    facts: Any = strict_json.loads(facts_json) if facts_json else {}
    mode = facts.get("owner_billing_mode") if isinstance(facts, dict) else None
    return mode if isinstance(mode, str) else None
