"""What billing hears: event → action, in the transaction that remembers the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from kit import strict_json, wire
from kit.consumer import Handler, Heard, Prepare, Together, in_its_trace
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

    async def moved(tx: Tx, heard: Sequence[Heard]) -> None:
        """Submissions are charged together; so are those before a decision that is about money."""
        gathered: list[actions.Submission] = []
        for event, said in in_its_trace(heard):
            if isinstance(said, intake.DocumentSubmitted):
                gathered.append(_submission(event, said))
            elif _is_about_money(desk, said):
                await actions.charge_submissions(tx, desk.book, gathered)
                gathered = []
                await decided(tx, said)
        await actions.charge_submissions(tx, desk.book, gathered)

    async def decided(tx: Tx, said: intake.DocumentDecided) -> None:
        move = _decision(said)
        await actions.charge_decision(tx, desk.book, move.document, said.to_state, move.occurred_at)
        await actions.refund(tx, desk.refunds, move)

    async def amended(tx: Tx, event: Event, said: intake.DocumentAmended) -> None:
        await actions.charge_amendment(tx, desk.book, _document(said), said.version, wire.moment(said.amended_at))

    async def withdrawn(tx: Tx, event: Event, said: intake.DocumentWithdrawn) -> None:
        move = Move(_document(said), WITHDRAW, said.from_state, wire.moment(said.withdrawn_at))
        await actions.refund(tx, desk.refunds, move)

    async def cancelled(tx: Tx, event: Event, said: intake.DocumentCancelled) -> None:
        move = Move(_document(said), CANCEL, said.from_state, wire.moment(said.cancelled_at))
        await actions.refund(tx, desk.refunds, move)

    together = Together(moved)
    return {
        identity.OrganisationActivated: activated,
        intake.DocumentSubmitted: together,
        intake.DocumentDecided: together,
        intake.DocumentAmended: amended,
        intake.DocumentWithdrawn: withdrawn,
        intake.DocumentCancelled: cancelled,
    }


def _submission(event: Event, said: intake.DocumentSubmitted) -> actions.Submission:
    document, mode = replace(_document(said), price_version=said.price_version), _stated_mode(said.facts_json)
    return actions.Submission(document, mode, said.state, wire.moment(said.submitted_at), event.traceparent)


def _decision(said: intake.DocumentDecided) -> Move:
    return Move(_document(said), said.event, said.from_state, wire.moment(said.decided_at))


def _is_about_money(desk: actions.PriceDesk, said: intake.DocumentDecided) -> bool:
    return desk.book.bills(said.type, said.to_state) or actions.gives_back(desk.refunds, _decision(said))


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
