"""How a service stands, as a test says it. A service of yesterday knows no such question."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

from tests.gateway.builders import STAMP


class FakeStanding(standing_pb2_grpc.StandingServiceServicer):
    is_known = True

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.asked = 0
        self.pause_s = 0.0
        self.components: dict[str, standing_pb2.Component] = {}
        for name in ("database", "bus", "relay", "consumer"):
            self.tell(name)

    def tell(
        self,
        name: str,
        state: standing_pb2.State.ValueType = standing_pb2.STATE_OK,
        code: str = "OK",
        age_s: float | None = None,
        since: Timestamp = STAMP,
    ) -> None:
        self.components[name] = standing_pb2.Component(
            name=name, state=state, code=code, since=since, age_seconds=age_s
        )

    async def GetStanding(self, request: Any, context: Any) -> standing_pb2.GetStandingResponse:
        self.asked += 1
        await asyncio.sleep(self.pause_s)
        return standing_pb2.GetStandingResponse(components=self.components.values())
