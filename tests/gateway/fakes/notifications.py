"""Notifications as the gateway sees it."""

from __future__ import annotations

from typing import Any

from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc

from tests.gateway.builders import (
    STAMP,
)


class FakeNotifications(notifications_pb2_grpc.NotificationsServiceServicer):
    def forget(self) -> None:
        pass

    async def ListNotifications(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.Notification(id="n-1", state="SENT", created_at=STAMP)
        return notifications_pb2.ListNotificationsResponse(notifications=[shown])

    async def MarkNotificationRead(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.Notification(id=request.id, state="SENT", created_at=STAMP, read_at=STAMP)
        return notifications_pb2.MarkNotificationReadResponse(notification=shown)

    async def GetNotificationPreferences(self, request: Any, context: Any) -> Any:
        channels = [notifications_pb2.PreferenceChannel(channel="email", muted=True)]
        rule = notifications_pb2.PreferenceRule(rule="N1", event="e", template="t", channels=channels)
        shown = notifications_pb2.NotificationPreferences(rules=[rule], timezone="UTC")
        return notifications_pb2.GetNotificationPreferencesResponse(preferences=shown)

    async def PutNotificationPreferences(self, request: Any, context: Any) -> Any:
        shown = notifications_pb2.NotificationPreferences(
            quiet_begins=request.quiet_begins,
            quiet_ends=request.quiet_ends,
            digest_at=request.digest_at,
            timezone="UTC",
        )
        return notifications_pb2.PutNotificationPreferencesResponse(preferences=shown)

    async def CreateWebhookEndpoint(self, request: Any, context: Any) -> Any:
        shown = an_endpoint("w-1", url=request.url, signature=request.signature)
        return notifications_pb2.CreateWebhookEndpointResponse(endpoint=shown)

    async def ListWebhookEndpoints(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ListWebhookEndpointsResponse(endpoints=[an_endpoint("w-1")])

    async def GetWebhookEndpoint(self, request: Any, context: Any) -> Any:
        return notifications_pb2.GetWebhookEndpointResponse(endpoint=an_endpoint(request.id))

    async def DisableWebhookEndpoint(self, request: Any, context: Any) -> Any:
        shown = an_endpoint(request.id, state="DISABLED", disabled_reason="BY_OWNER", disabled_at=STAMP)
        return notifications_pb2.DisableWebhookEndpointResponse(endpoint=shown)

    async def EnableWebhookEndpoint(self, request: Any, context: Any) -> Any:
        return notifications_pb2.EnableWebhookEndpointResponse(endpoint=an_endpoint(request.id))

    async def RotateWebhookSecret(self, request: Any, context: Any) -> Any:
        return notifications_pb2.RotateWebhookSecretResponse(endpoint=an_endpoint(request.id))

    async def ReplayWebhooks(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ReplayWebhooksResponse(replayed=1, through_sequence=2, last_sequence=2)

    async def SendTestWebhook(self, request: Any, context: Any) -> Any:
        return notifications_pb2.SendTestWebhookResponse(delivery=a_delivery())

    async def ListWebhookDeliveries(self, request: Any, context: Any) -> Any:
        return notifications_pb2.ListWebhookDeliveriesResponse(deliveries=[a_delivery()])


def an_endpoint(endpoint_id: str, **more: Any) -> notifications_pb2.WebhookEndpoint:
    key = notifications_pb2.WebhookKey(id="k-1", public_key="whpk_AAAA", created_at=STAMP)
    usual = {"url": "https://a.example/", "signature": "ed25519", "state": "ENABLED"}
    return notifications_pb2.WebhookEndpoint(id=endpoint_id, created_at=STAMP, keys=[key], **{**usual, **more})


def a_delivery() -> notifications_pb2.WebhookDelivery:
    return notifications_pb2.WebhookDelivery(
        id="m-1", type="webhook.test", body="{}", state="PENDING", due_at=STAMP, created_at=STAMP
    )
