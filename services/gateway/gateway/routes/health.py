"""Is it there, is it ready."""

from __future__ import annotations

from starlette.responses import Response

from gateway import rates
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.access import Health


async def get_health(call: Call) -> Response:
    return answered(Health("ok"))


async def get_readiness(call: Call) -> Response:
    """Ready once the pack's types are known, until told to leave."""
    is_ready = call.wiring.standing.is_serving and call.wiring.contract.is_known
    return answered(Health("ready" if is_ready else "not ready"), 200 if is_ready else 503)


OPERATIONS = (
    Operation(*("GET", "/healthz", get_health, "Alive"), answer=Health, tag="health", rate_class=rates.UNLIMITED),
    Operation(
        *("GET", "/readyz", get_readiness, "Ready for requests"),
        answer=Health,
        tag="health",
        rate_class=rates.UNLIMITED,
    ),
)
