"""The in-app feed."""

from __future__ import annotations

from typing import Literal

import msgspec
from portolan.notifications.v1 import notifications_pb2

from gateway.shapes.common import Code, Moment, Paged, certain_moment, moment


class Notification(msgspec.Struct, kw_only=True):
    id: str
    rule: str
    channel: str
    language: str
    title: str
    body: str
    document_id: str | None
    reference: str | None
    created_at: Moment
    read_at: Moment | None
    state: Literal["PENDING", "SENT", "FAILED"]


class NotificationFilter(Paged, kw_only=True):
    document_id: Code = ""


def notification(given: notifications_pb2.Notification) -> Notification:
    return Notification(
        id=given.id,
        rule=given.rule,
        channel=given.channel,
        language=given.language,
        title=given.title,
        body=given.body,
        document_id=given.document_id or None,
        reference=given.reference or None,
        created_at=certain_moment(given.created_at),
        read_at=moment(given.read_at),
        state=given.state,  # type: ignore[arg-type]
    )
