"""The services behind the gateway, by hand: real gRPC servers that answer what a test tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from kit import grpc
from kit.auth import TokenVerifier
from kit.grpc import ANYONE, Server
from kit.testing import TokenMint
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc
from portolan.intake.v1 import intake_pb2, intake_pb2_grpc
from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from portolan.routing.v1 import routing_pb2, routing_pb2_grpc
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

from tests.gateway.fakes.billing import FakeBilling
from tests.gateway.fakes.identity import FakeIdentity
from tests.gateway.fakes.intake import FakeIntake
from tests.gateway.fakes.notifications import FakeNotifications
from tests.gateway.fakes.routing import FakeRouting
from tests.gateway.fakes.standing import FakeStanding

_DESCRIPTORS: Mapping[str, tuple[Any, Any]] = {
    "identity": (identity_pb2, identity_pb2_grpc),
    "intake": (intake_pb2, intake_pb2_grpc),
    "routing": (routing_pb2, routing_pb2_grpc),
    "billing": (billing_pb2, billing_pb2_grpc),
    "notifications": (notifications_pb2, notifications_pb2_grpc),
}


@dataclass
class FakeServices:
    """All five, started on free ports. `kill` one and it is gone; `start` it and it is back where it was."""

    mint: TokenMint
    identity: FakeIdentity = field(init=False)
    intake: FakeIntake = field(default_factory=FakeIntake)
    routing: FakeRouting = field(default_factory=FakeRouting)
    billing: FakeBilling = field(default_factory=FakeBilling)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    standing: dict[str, FakeStanding] = field(default_factory=lambda: {name: FakeStanding() for name in _DESCRIPTORS})
    ports: dict[str, int] = field(default_factory=dict)
    _running: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identity = FakeIdentity(self.mint)

    async def start(self, name: str) -> None:
        messages, stubs = _DESCRIPTORS[name]
        descriptor: ServiceDescriptor = next(iter(messages.DESCRIPTOR.services_by_name.values()))
        register: Callable[[Any, Any], None] = getattr(stubs, f"add_{descriptor.name}Servicer_to_server")
        server = Server(name, TokenVerifier(self.mint), "127.0.0.1", self.ports.get(name, 0))
        authority = {method.name: ANYONE for method in descriptor.methods}
        server.add(descriptor, authority, lambda at: register(getattr(self, name), at))
        self._stands(name, server)
        stop = asyncio.Event()
        self.ports[name] = server.port
        self._running[name] = stop, asyncio.create_task(server.run(stop))

    def _stands(self, name: str, server: Server) -> None:
        if self.standing[name].is_known:
            descriptor = standing_pb2.DESCRIPTOR.services_by_name["StandingService"]
            server.add(
                descriptor,
                {"GetStanding": ANYONE},
                lambda at: standing_pb2_grpc.add_StandingServiceServicer_to_server(self.standing[name], at),
            )

    async def kill(self, name: str) -> None:
        """At once, in the middle of whatever it does."""
        stop, task = self._running.pop(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grpc, "STOP_GRACE_S", 0.0)
            stop.set()
            await task

    async def start_all(self) -> None:
        for name in _DESCRIPTORS:
            await self.start(name)

    async def restore(self) -> None:
        """Everything up again, and nothing remembered."""
        for name in _DESCRIPTORS:
            getattr(self, name).forget()
            self.standing[name].forget()
            if name not in self._running:
                await self.start(name)

    async def kill_all(self) -> None:
        for name in list(self._running):
            await self.kill(name)

    def targets(self) -> dict[str, str]:
        return {f"{name}_target": f"127.0.0.1:{port}" for name, port in self.ports.items()}
