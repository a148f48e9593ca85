"""The in-app feed, and what a person prefers not to be told."""

from __future__ import annotations

from portolan.notifications.v1 import notifications_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page
from gateway.shapes.notices import (
    NewPreferences,
    Notification,
    NotificationFilter,
    Preferences,
    notification,
    preferences,
)


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


async def get_notification_preferences(call: Call) -> Response:
    request = notifications_pb2.GetNotificationPreferencesRequest()
    reply = await call.ask(call.up.notifications.GetNotificationPreferences, request)
    return answered(preferences(reply.preferences))


async def put_notification_preferences(call: Call, body: NewPreferences) -> Response:
    request = notifications_pb2.PutNotificationPreferencesRequest(
        muted=[notifications_pb2.MutedRule(rule=one.rule, channel=one.channel) for one in body.muted],
        quiet_begins=body.quiet_hours.begins if body.quiet_hours else "",
        quiet_ends=body.quiet_hours.ends if body.quiet_hours else "",
        digest_at=body.digest_at,
    )
    reply = await call.ask(call.up.notifications.PutNotificationPreferences, request)
    return answered(preferences(reply.preferences))


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
    Operation(
        *("GET", "/v1/notification-preferences", get_notification_preferences, "What the caller is told of, and how"),
        answer=Preferences,
        tag="notifications",
    ),
    Operation(
        *("PUT", "/v1/notification-preferences", put_notification_preferences, "Mute rules, set quiet hours"),
        answer=Preferences,
        tag="notifications",
    ),
)
