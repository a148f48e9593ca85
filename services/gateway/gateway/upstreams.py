"""The services behind: one channel each, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc.aio
from kit import grpc as kit_grpc
from kit.auth import service_token
from portolan.billing.v1 import billing_pb2_grpc
from portolan.identity.v1 import identity_pb2_grpc
from portolan.intake.v1 import intake_pb2_grpc
from portolan.intake.v1.intake_pb2 import SubmitDocumentsRequest, SubmitDocumentsResponse
from portolan.notifications.v1 import notifications_pb2_grpc
from portolan.routing.v1 import routing_pb2_grpc

from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from portolan.billing.v1.billing_pb2_grpc import BillingServiceAsyncStub
    from portolan.identity.v1.identity_pb2_grpc import IdentityServiceAsyncStub
    from portolan.intake.v1.intake_pb2_grpc import IntakeServiceAsyncStub
    from portolan.notifications.v1.notifications_pb2_grpc import NotificationsServiceAsyncStub
    from portolan.routing.v1.routing_pb2_grpc import RoutingServiceAsyncStub

SERVICES = ("identity", "intake", "routing", "billing", "notifications")
HEALTH_DEADLINE_S = 0.5

Request = TypeVar("Request")
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Upstreams:
    service_secret: str
    channels: Mapping[str, grpc.aio.Channel]
    identity: IdentityServiceAsyncStub
    intake: IntakeServiceAsyncStub
    routing: RoutingServiceAsyncStub
    billing: BillingServiceAsyncStub
    notifications: NotificationsServiceAsyncStub

    @classmethod
    def open(cls, settings: GatewaySettings) -> Upstreams:
        channels = {name: kit_grpc.channel(getattr(settings, f"{name}_target")) for name in SERVICES}
        return cls(
            settings.service_secret,
            channels,
            identity_pb2_grpc.IdentityServiceStub(channels["identity"]),
            intake_pb2_grpc.IntakeServiceStub(channels["intake"]),
            routing_pb2_grpc.RoutingServiceStub(channels["routing"]),
            billing_pb2_grpc.BillingServiceStub(channels["billing"]),
            notifications_pb2_grpc.NotificationsServiceStub(channels["notifications"]),
        )

    def own_token(self) -> str:
        """The gateway's own identity, for what it asks on nobody's behalf."""
        return service_token("gateway", self.service_secret) if self.service_secret else ""

    def open_submissions(self) -> grpc.aio.StreamStreamCall[SubmitDocumentsRequest, SubmitDocumentsResponse]:
        token = self.own_token()
        return self.intake.SubmitDocuments(metadata=[("authorization", f"Bearer {token}")] if token else None)

    async def close(self) -> None:
        for channel in self.channels.values():
            await channel.close()


async def ask(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply], request: Request, *, token: str, language: str = ""
) -> Reply:
    """One unary call within what is left of the request's time. Raises what the other end raised."""
    reply: Reply = await kit_grpc.call(method, request, token=token, language=language)
    return reply
