"""gRPC face of notifications: message → action → message."""

from __future__ import annotations

from typing import Any

from kit import auth, wire
from kit.database import Database
from kit.grpc import SIGNED_IN, Authority
from packs.model import NotificationRule
from portolan.notifications.v1 import notifications_pb2 as pb
from portolan.notifications.v1 import notifications_pb2_grpc

from notifications import actions
from notifications.actions.preferences import Choice
from notifications.domain.deliveries import Delivery
from notifications.domain.endpoints import Shown
from notifications.domain.posts import Post
from notifications.domain.preferences import Preferences
from notifications.domain.signing import SealedKey, shown_public

# Who may make a program of an organisation listen: its administrators, and those who file for it.
MINDERS = frozenset({"org_admin", "declarant"})
AUTHORITY: Authority = {
    "ListNotifications": SIGNED_IN,
    "MarkNotificationRead": SIGNED_IN,
    "GetNotificationPreferences": SIGNED_IN,
    "PutNotificationPreferences": SIGNED_IN,
    "CreateWebhookEndpoint": MINDERS,
    "ListWebhookEndpoints": MINDERS,
    "GetWebhookEndpoint": MINDERS,
    "DisableWebhookEndpoint": MINDERS,
    "EnableWebhookEndpoint": MINDERS,
    "RotateWebhookSecret": MINDERS,
    "ReplayWebhooks": MINDERS,
    "SendTestWebhook": MINDERS,
    "ListWebhookDeliveries": MINDERS,
}


class NotificationsApi(notifications_pb2_grpc.NotificationsServiceServicer):
    def __init__(self, db: Database, webhooks: actions.WebhookDesk, preferences: actions.PreferenceDesk) -> None:
        self._db = db
        self._preferences = preferences
        self._webhooks = webhooks

    async def ListNotifications(self, request: pb.ListNotificationsRequest, _: Any) -> pb.ListNotificationsResponse:
        hidden = await self._preferences.hidden_rules(auth.caller())
        found, next_cursor = await actions.list_notifications(
            self._db, auth.caller(), request.document_id, request.cursor, request.limit, hidden
        )
        return pb.ListNotificationsResponse(notifications=map(_notification, found), next_cursor=next_cursor)

    async def MarkNotificationRead(
        self, request: pb.MarkNotificationReadRequest, _: Any
    ) -> pb.MarkNotificationReadResponse:
        read = await actions.mark_read(self._db, auth.caller(), request.id)
        return pb.MarkNotificationReadResponse(notification=_notification(read))

    async def GetNotificationPreferences(
        self, request: pb.GetNotificationPreferencesRequest, _: Any
    ) -> pb.GetNotificationPreferencesResponse:
        read = await self._preferences.read(auth.caller())
        return pb.GetNotificationPreferencesResponse(preferences=_preferences(read))

    async def PutNotificationPreferences(
        self, request: pb.PutNotificationPreferencesRequest, _: Any
    ) -> pb.PutNotificationPreferencesResponse:
        muted = [(one.rule, one.channel) for one in request.muted]
        written = await self._preferences.write(
            auth.caller(), muted, request.quiet_begins, request.quiet_ends, request.digest_at
        )
        return pb.PutNotificationPreferencesResponse(preferences=_preferences(written))

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, _: Any
    ) -> pb.CreateWebhookEndpointResponse:
        made = await self._webhooks.create(
            *(auth.caller(), request.request_id, request.url, request.description),
            *(list(request.event_types), request.signature),
        )
        return pb.CreateWebhookEndpointResponse(endpoint=_endpoint(made))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, _: Any
    ) -> pb.ListWebhookEndpointsResponse:
        found, next_cursor = await self._webhooks.all(auth.caller(), request.cursor, request.limit)
        return pb.ListWebhookEndpointsResponse(endpoints=map(_endpoint, found), next_cursor=next_cursor)

    async def GetWebhookEndpoint(self, request: pb.GetWebhookEndpointRequest, _: Any) -> pb.GetWebhookEndpointResponse:
        return pb.GetWebhookEndpointResponse(endpoint=_endpoint(await self._webhooks.get(auth.caller(), request.id)))

    async def DisableWebhookEndpoint(
        self, request: pb.DisableWebhookEndpointRequest, _: Any
    ) -> pb.DisableWebhookEndpointResponse:
        disabled = await self._webhooks.disable(auth.caller(), request.id)
        return pb.DisableWebhookEndpointResponse(endpoint=_endpoint(disabled))

    async def EnableWebhookEndpoint(
        self, request: pb.EnableWebhookEndpointRequest, _: Any
    ) -> pb.EnableWebhookEndpointResponse:
        enabled = await self._webhooks.enable(auth.caller(), request.id)
        return pb.EnableWebhookEndpointResponse(endpoint=_endpoint(enabled))

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, _: Any
    ) -> pb.RotateWebhookSecretResponse:
        rotated = await self._webhooks.rotate(auth.caller(), request.id, request.request_id)
        return pb.RotateWebhookSecretResponse(endpoint=_endpoint(rotated))

    async def ReplayWebhooks(self, request: pb.ReplayWebhooksRequest, _: Any) -> pb.ReplayWebhooksResponse:
        since = wire.moment_or_none(request.since)
        again, last = await self._webhooks.replay(auth.caller(), request.id, request.after_sequence, since)
        through = again[-1] if again else last
        return pb.ReplayWebhooksResponse(replayed=len(again), through_sequence=through, last_sequence=last)

    async def SendTestWebhook(self, request: pb.SendTestWebhookRequest, _: Any) -> pb.SendTestWebhookResponse:
        post = await self._webhooks.send_test(auth.caller(), request.id, request.request_id)
        return pb.SendTestWebhookResponse(delivery=_delivery(post))

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, _: Any
    ) -> pb.ListWebhookDeliveriesResponse:
        found, next_cursor = await self._webhooks.log(
            auth.caller(), request.id, request.state, request.cursor, request.limit
        )
        return pb.ListWebhookDeliveriesResponse(deliveries=map(_delivery, found), next_cursor=next_cursor)


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


def _preferences(choice: Choice) -> pb.NotificationPreferences:
    quiet, preferred = choice.preferences.quiet, choice.preferences
    return pb.NotificationPreferences(
        rules=[_rule(rule, preferred) for rule in choice.pack.notification_rules],
        quiet_begins=quiet.begins.isoformat("minutes") if quiet else "",
        quiet_ends=quiet.ends.isoformat("minutes") if quiet else "",
        timezone=choice.pack.timezone,
        digest_at=[at.isoformat("minutes") for at in preferred.digest_at],
    )


def _rule(rule: NotificationRule, preferred: Preferences) -> pb.PreferenceRule:
    channels = [
        pb.PreferenceChannel(channel=channel, muted=preferred.mutes(rule, channel)) for channel in rule.channels
    ]
    return pb.PreferenceRule(
        rule=rule.id, event=rule.event, template=rule.template, mandatory=rule.mandatory, channels=channels
    )


def _endpoint(shown: Shown) -> pb.WebhookEndpoint:
    one = shown.endpoint
    return pb.WebhookEndpoint(
        id=one.id,
        organisation_id=one.organisation_id,
        url=one.url,
        description=one.description,
        event_types=one.event_types,
        signature=one.signature,
        state=one.state,
        disabled_reason=one.disabled_reason,
        disabled_at=wire.timestamp(one.disabled_at),
        failing_since=wire.timestamp(one.failing_since),
        last_sequence=one.last_sequence,
        created_at=wire.timestamp(one.created_at),
        keys=map(_key, shown.keys),
        secret=shown.secret,
    )


def _key(key: SealedKey) -> pb.WebhookKey:
    return pb.WebhookKey(
        id=key.id,
        public_key=shown_public(key.public),
        created_at=wire.timestamp(key.created_at),
        expires_at=wire.timestamp(key.expires_at),
    )


def _delivery(post: Post) -> pb.WebhookDelivery:
    return pb.WebhookDelivery(
        id=post.id,
        event_id=post.event_id,
        sequence=post.sequence,
        type=post.type,
        document_id=post.document_id,
        body=post.body,
        state=post.state,
        attempts=post.attempts,
        due_at=wire.timestamp(post.due_at),
        created_at=wire.timestamp(post.created_at),
        attempted_at=wire.timestamp(post.attempted_at),
        delivered_at=wire.timestamp(post.delivered_at),
        response_status=post.response_status or 0,
        response_body=post.response_body,
        failure=post.failure,
    )
