"""What routing hears: a document was submitted, withdrawn, cancelled, is to be amended, or its operator answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from kit import strict_json
from kit.consumer import Handler, Heard, Together
from kit.database import Tx
from kit.errors import Malformed
from kit.events import Event
from packs.tables import born_under
from portolan.intake.v1 import events_pb2

from routing import actions
from routing.domain import Proposal, Resumption, Submission
from routing.store import Rulebooks

GROUP = "routing"
TOPICS = ("portolan.intake.document.v1",)


def handlers(rulebooks: Rulebooks) -> Mapping[type[Message], Handler]:
    async def filed(tx: Tx, heard: Sequence[Heard]) -> None:
        await actions.open_cases(tx, rulebooks, [_filed(event, said) for event, said in heard])

    async def withdrawn(tx: Tx, _: Event, said: events_pb2.DocumentWithdrawn) -> None:
        await actions.withdraw(tx, stand_in(said))

    async def cancelled(tx: Tx, _: Event, said: events_pb2.DocumentCancelled) -> None:
        await actions.cancel(tx, stand_in(said))

    async def proposed(tx: Tx, _: Event, said: events_pb2.AmendmentProposed) -> None:
        await actions.amend(tx, rulebooks, proposal(said))

    async def amended(tx: Tx, _: Event, said: events_pb2.DocumentAmended) -> None:
        if said.resumes_at:
            facts = facts_of(said.facts_json)
            await actions.resume(tx, rulebooks, Resumption(said.document_id, said.version, facts, said.resumes_at))

    async def provided(tx: Tx, _: Event, said: events_pb2.InformationProvided) -> None:
        await actions.provide_information(
            tx, rulebooks, said.document_id, said.information_request_id, tuple(said.answers)
        )

    together = Together(filed)
    return {
        events_pb2.DocumentSubmitted: together,
        events_pb2.DocumentCompleted: together,
        events_pb2.DocumentWithdrawn: withdrawn,
        events_pb2.DocumentCancelled: cancelled,
        events_pb2.AmendmentProposed: proposed,
        events_pb2.DocumentAmended: amended,
        events_pb2.InformationProvided: provided,
    }


def _filed(event: Event, said: events_pb2.DocumentSubmitted | events_pb2.DocumentCompleted) -> actions.Filed:
    return actions.Filed(submission(said), isinstance(said, events_pb2.DocumentCompleted), event.traceparent)


def submission(said: events_pb2.DocumentSubmitted | events_pb2.DocumentCompleted) -> Submission:
    facts = {"document_id": said.document_id, **facts_of(said.facts_json), "type": said.type}
    return Submission(
        document_id=said.document_id,
        reference=said.reference,
        document_type=said.type,
        pack_version=born_under(said.pack_version, said.rule_table),
        owner_organisation_id=said.owner_organisation_id,
        submitter_organisation_id=said.submitter_organisation_id,
        facts=facts,
    )


def proposal(said: events_pb2.AmendmentProposed) -> Proposal:
    return Proposal(
        document_id=said.document_id,
        version=said.version,
        facts=facts_of(said.facts_json),
        changes=tuple(change(one) for one in said.changes),
        remarks=said.remarks,
        steps=tuple(said.steps),
    )


def change(said: events_pb2.Change) -> dict[str, Any]:
    before, after = strict_json.loads(said.before_json.encode()), strict_json.loads(said.after_json.encode())
    return {"pointer": said.pointer, "before": before, "after": after}


def stand_in(said: events_pb2.DocumentWithdrawn | events_pb2.DocumentCancelled) -> Submission:
    """As much of a submission as its withdrawal or cancellation tells."""
    return Submission(
        document_id=said.document_id,
        reference=said.reference,
        document_type=said.type,
        pack_version="",
        owner_organisation_id=said.owner_organisation_id,
        submitter_organisation_id=said.submitter_organisation_id,
        facts={},
    )


def facts_of(raw: bytes) -> dict[str, Any]:
    facts = strict_json.loads(raw)
    if not isinstance(facts, dict):
        raise Malformed("MALFORMED", "the facts are not an object")
    return facts
