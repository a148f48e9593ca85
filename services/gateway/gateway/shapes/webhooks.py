"""Webhook endpoints and the log of what was sent to them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.notifications.v1 import notifications_pb2

from gateway.shapes.common import Moment, MomentIn, Paged, certain_moment, moment

EventType = Annotated[str, msgspec.Meta(pattern="^[a-z_]+[.][a-z_]+$", max_length=40)]
DeliveryState = Literal["PENDING", "HELD", "DELIVERED", "FAILED"]


class WebhookKey(msgspec.Struct, kw_only=True):
    """`public_key` (`whpk_…`, Ed25519) verifies; null for HMAC. `expires_at` is set for a key on its way out."""

    id: str
    public_key: str | None
    created_at: Moment
    expires_at: Moment | None


class WebhookEndpoint(msgspec.Struct, kw_only=True):
    """`secret` (`whsec_…`, HMAC only) is given in the answer that made it, and never again."""

    id: str
    url: str
    description: str
    event_types: list[str]
    signature: Literal["ed25519", "hmac"]
    state: Literal["ENABLED", "DISABLED"]
    disabled_reason: Literal["BY_OWNER", "GONE", "FAILING"] | None
    disabled_at: Moment | None
    failing_since: Moment | None
    last_sequence: int
    created_at: Moment
    keys: list[WebhookKey]
    secret: str | None


class NewWebhookEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """No `event_types`: all of them."""

    url: Annotated[str, msgspec.Meta(pattern="^https?://[!-~]+$", max_length=2000)]
    description: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    event_types: Annotated[list[EventType], msgspec.Meta(max_length=40)] = []
    signature: Literal["ed25519", "hmac"] = "ed25519"


class Replay(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What comes after a sequence, since a moment, or both; nothing given is everything that is kept."""

    after_sequence: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    since: MomentIn | None = None


class Replayed(msgspec.Struct, kw_only=True):
    """Go on after `through_sequence` while it is less than `last_sequence`."""

    replayed: int
    through_sequence: int
    last_sequence: int


class WebhookDelivery(msgspec.Struct, kw_only=True):
    """`id` is the `webhook-id`; `body` is what is signed and sent, byte for byte."""

    id: str
    event_id: str
    sequence: int
    type: str
    document_id: str | None
    body: str
    state: DeliveryState
    attempts: int
    next_attempt_at: Moment | None
    created_at: Moment
    attempted_at: Moment | None
    delivered_at: Moment | None
    response_status: int | None
    response_body: str
    failure: str | None


class DeliveryFilter(Paged, kw_only=True):
    state: DeliveryState | Literal[""] = ""


def endpoint(given: notifications_pb2.WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=given.id,
        url=given.url,
        description=given.description,
        event_types=list(given.event_types),
        signature=given.signature,  # type: ignore[arg-type]
        state=given.state,  # type: ignore[arg-type]
        disabled_reason=given.disabled_reason or None,  # type: ignore[arg-type]
        disabled_at=moment(given.disabled_at),
        failing_since=moment(given.failing_since),
        last_sequence=given.last_sequence,
        created_at=certain_moment(given.created_at),
        keys=[_key(key) for key in given.keys],
        secret=given.secret or None,
    )


def _key(given: notifications_pb2.WebhookKey) -> WebhookKey:
    return WebhookKey(
        id=given.id,
        public_key=given.public_key or None,
        created_at=certain_moment(given.created_at),
        expires_at=moment(given.expires_at),
    )


def delivery(given: notifications_pb2.WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery(
        id=given.id,
        event_id=given.event_id,
        sequence=given.sequence,
        type=given.type,
        document_id=given.document_id or None,
        body=given.body,
        state=given.state,  # type: ignore[arg-type]
        attempts=given.attempts,
        next_attempt_at=moment(given.due_at) if given.state == "PENDING" else None,
        created_at=certain_moment(given.created_at),
        attempted_at=moment(given.attempted_at),
        delivered_at=moment(given.delivered_at),
        response_status=given.response_status or None,
        response_body=given.response_body,
        failure=given.failure or None,
    )
