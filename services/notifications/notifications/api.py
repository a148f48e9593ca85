"""gRPC face of notifications: message → action → message."""

from __future__ import annotations

from typing import Any

from kit import auth, wire
from kit.database import Database
from kit.grpc import SIGNED_IN, Authority
from portolan.notifications.v1 import notifications_pb2 as pb
from portolan.notifications.v1 import notifications_pb2_grpc

from notifications import actions
from notifications.domain.deliveries import Delivery

AUTHORITY: Authority = {"ListNotifications": SIGNED_IN, "MarkNotificationRead": SIGNED_IN}


class NotificationsApi(notifications_pb2_grpc.NotificationsServiceServicer):
    def __init__(self, db: Database) -> None:
        self._db = db

    async def ListNotifications(self, request: pb.ListNotificationsRequest, _: Any) -> pb.ListNotificationsResponse:
        found, next_cursor = await actions.list_notifications(
            self._db, auth.caller(), request.document_id, request.cursor, request.limit
        )
        return pb.ListNotificationsResponse(notifications=map(_notification, found), next_cursor=next_cursor)

    async def MarkNotificationRead(
        self, request: pb.MarkNotificationReadRequest, _: Any
    ) -> pb.MarkNotificationReadResponse:
        read = await actions.mark_read(self._db, auth.caller(), request.id)
        return pb.MarkNotificationReadResponse(notification=_notification(read))


def _notification(delivery: Delivery) -> pb.Notification:
    return pb.Notification(
        id=delivery.id,
        event_id=delivery.event_id,
        rule=delivery.rule,
        document_id=delivery.document_id,
        reference=delivery.reference,
        channel=delivery.channel,
        language=delivery.language,
        title=delivery.title,
        body=delivery.body,
        created_at=wire.timestamp(delivery.created_at),
        read_at=wire.timestamp(delivery.read_at),
        state=delivery.state,
        recipient_id=delivery.recipient_id,
    )
