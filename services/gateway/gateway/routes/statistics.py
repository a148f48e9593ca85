"""What anybody may know of how the window works."""

from __future__ import annotations

import msgspec
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page
from gateway.shapes.statistics import Duration


async def list_durations(call: Call) -> Response:
    reply = await call.ask_openly(call.up.intake.ListDurations, intake_pb2.ListDurationsRequest())
    return answered(Page([msgspec.Raw(raw) for raw in reply.duration_jsons], None))


OPERATIONS = (
    Operation(
        *("GET", "/v1/statistics/durations", list_durations, "How long each step took, median of the last 90 days"),
        answer=Page[Duration],
        tag="statistics",
    ),
)
