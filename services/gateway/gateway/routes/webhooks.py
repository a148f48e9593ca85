"""Webhooks: an organisation's programs are told what happens to its documents."""

from __future__ import annotations

from portolan.notifications.v1 import notifications_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, Paged, timestamp
from gateway.shapes.webhooks import (
    DeliveryFilter,
    NewWebhookEndpoint,
    Replay,
    Replayed,
    WebhookDelivery,
    WebhookEndpoint,
    delivery,
    endpoint,
)


async def create_webhook_endpoint(call: Call, body: NewWebhookEndpoint) -> Response:
    request = notifications_pb2.CreateWebhookEndpointRequest(
        request_id=call.request_id(),
        url=body.url,
        description=body.description,
        event_types=body.event_types,
        signature=body.signature,
    )
    reply = await call.ask(call.up.notifications.CreateWebhookEndpoint, request)
    return answered(endpoint(reply.endpoint), 201)


async def list_webhook_endpoints(call: Call, query: Paged) -> Response:
    request = notifications_pb2.ListWebhookEndpointsRequest(cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.notifications.ListWebhookEndpoints, request)
    return answered(Page([endpoint(one) for one in reply.endpoints], reply.next_cursor or None))


async def get_webhook_endpoint(call: Call, endpoint_id: str) -> Response:
    request = notifications_pb2.GetWebhookEndpointRequest(id=endpoint_id)
    reply = await call.ask(call.up.notifications.GetWebhookEndpoint, request)
    return answered(endpoint(reply.endpoint))


async def disable_webhook_endpoint(call: Call, endpoint_id: str) -> Response:
    request = notifications_pb2.DisableWebhookEndpointRequest(id=endpoint_id)
    reply = await call.ask(call.up.notifications.DisableWebhookEndpoint, request)
    return answered(endpoint(reply.endpoint))


async def enable_webhook_endpoint(call: Call, endpoint_id: str) -> Response:
    request = notifications_pb2.EnableWebhookEndpointRequest(id=endpoint_id)
    reply = await call.ask(call.up.notifications.EnableWebhookEndpoint, request)
    return answered(endpoint(reply.endpoint))


async def rotate_webhook_secret(call: Call, endpoint_id: str) -> Response:
    request = notifications_pb2.RotateWebhookSecretRequest(id=endpoint_id, request_id=call.request_id())
    reply = await call.ask(call.up.notifications.RotateWebhookSecret, request)
    return answered(endpoint(reply.endpoint))


async def replay_webhooks(call: Call, endpoint_id: str, body: Replay) -> Response:
    request = notifications_pb2.ReplayWebhooksRequest(
        id=endpoint_id, after_sequence=body.after_sequence, since=timestamp(body.since, "/since")
    )
    reply = await call.ask(call.up.notifications.ReplayWebhooks, request)
    shown = Replayed(
        replayed=reply.replayed, through_sequence=reply.through_sequence, last_sequence=reply.last_sequence
    )
    return answered(shown, 202)


async def send_test_webhook(call: Call, endpoint_id: str) -> Response:
    request = notifications_pb2.SendTestWebhookRequest(id=endpoint_id, request_id=call.request_id())
    reply = await call.ask(call.up.notifications.SendTestWebhook, request)
    return answered(delivery(reply.delivery), 202)


async def list_webhook_deliveries(call: Call, endpoint_id: str, query: DeliveryFilter) -> Response:
    request = notifications_pb2.ListWebhookDeliveriesRequest(
        id=endpoint_id, state=query.state, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.notifications.ListWebhookDeliveries, request)
    return answered(Page([delivery(one) for one in reply.deliveries], reply.next_cursor or None))


_ALL = "/v1/webhook-endpoints"
_ONE = f"{_ALL}/{{endpoint_id}}"
_MAYBE_KEY = ("Idempotency-Key?",)

OPERATIONS = (
    Operation(
        *("POST", _ALL, create_webhook_endpoint, "Be told by signed webhooks at an address"),
        answer=WebhookEndpoint,
        status=201,
        tag="webhooks",
        request_headers=_MAYBE_KEY,
    ),
    Operation(
        *("GET", _ALL, list_webhook_endpoints, "The organisation's endpoints, newest first"),
        answer=Page[WebhookEndpoint],
        tag="webhooks",
    ),
    Operation("GET", _ONE, get_webhook_endpoint, "One endpoint, with its keys", answer=WebhookEndpoint, tag="webhooks"),
    Operation(
        *("POST", f"{_ONE}:disable", disable_webhook_endpoint, "Send nothing more; hold what happens"),
        answer=WebhookEndpoint,
        tag="webhooks",
    ),
    Operation(
        *("POST", f"{_ONE}:enable", enable_webhook_endpoint, "Send again what happens from now on"),
        answer=WebhookEndpoint,
        tag="webhooks",
    ),
    Operation(
        *("POST", f"{_ONE}:rotate-secret", rotate_webhook_secret, "A new key; the old one signs for a day more"),
        answer=WebhookEndpoint,
        tag="webhooks",
        request_headers=_MAYBE_KEY,
    ),
    Operation(
        *("POST", f"{_ONE}:replay", replay_webhooks, "Send again what came after a sequence or since a moment"),
        answer=Replayed,
        status=202,
        tag="webhooks",
    ),
    Operation(
        *("POST", f"{_ONE}:test", send_test_webhook, "Send a test event to this endpoint"),
        answer=WebhookDelivery,
        status=202,
        tag="webhooks",
        request_headers=_MAYBE_KEY,
    ),
    Operation(
        *("GET", f"{_ONE}/deliveries", list_webhook_deliveries, "What was sent, when, and what came back"),
        answer=Page[WebhookDelivery],
        tag="webhooks",
    ),
)
