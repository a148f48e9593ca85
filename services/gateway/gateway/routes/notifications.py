"""The in-app feed."""

from __future__ import annotations

from portolan.notifications.v1 import notifications_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page
from gateway.shapes.notices import Notification, NotificationFilter, notification


async def list_notifications(call: Call, query: NotificationFilter) -> Response:
    request = notifications_pb2.ListNotificationsRequest(
        document_id=query.document_id, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.notifications.ListNotifications, request)
    return answered(Page([notification(one) for one in reply.notifications], reply.next_cursor or None))


async def mark_notification_read(call: Call, notification_id: str) -> Response:
    request = notifications_pb2.MarkNotificationReadRequest(id=notification_id)
    reply = await call.ask(call.up.notifications.MarkNotificationRead, request)
    return answered(notification(reply.notification))


OPERATIONS = (
    Operation(
        *("GET", "/v1/notifications", list_notifications, "The caller's feed, newest first"),
        answer=Page[Notification],
        tag="notifications",
    ),
    Operation(
        *("POST", "/v1/notifications/{notification_id}:read", mark_notification_read, "Mark as read"),
        answer=Notification,
        tag="notifications",
    ),
)
