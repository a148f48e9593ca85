"""What notifications hears: everything others say, and what it says itself of a receiver it gave up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from kit.consumer import Handler, Heard, Prepare, Together
from kit.database import Tx

from notifications.actions import Teller, posting
from notifications.actions.fields import fields
from notifications.actions.packs import HEARD
from notifications.domain.facts import Said

GROUP = "notifications"
TOPICS = (
    "portolan.identity.organisation.v1",
    "portolan.intake.document.v1",
    "portolan.routing.case.v1",
    "portolan.billing.charge.v1",
    posting.TOPIC,
)


def prepare(teller: Teller) -> Prepare:
    async def learn(heard: Sequence[Heard]) -> None:
        await teller.refresh()
        await teller.prepare(_said(teller, heard))

    return learn


def handlers(teller: Teller) -> Mapping[type[Message], Handler]:
    async def tell(tx: Tx, heard: Sequence[Heard]) -> None:
        await teller.tell(tx, _said(teller, heard))

    return dict.fromkeys(HEARD.values(), Together(tell))


def _said(teller: Teller, heard: Sequence[Heard]) -> list[Said]:
    """What concerns nobody is not even read."""
    return [
        Said(event.id, event.type, fields(message), event.traceparent)
        for event, message in heard
        if teller.concerns(event.type)
    ]
