"""Is it there, is it ready, what stands behind it."""

from __future__ import annotations

from importlib.metadata import version

from kit import clock, wire
from starlette.responses import Response

from gateway import rates
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.access import Health, Status

VERSION = version("portolan-gateway")


async def get_health(call: Call) -> Response:
    return answered(Health("ok"))


async def get_readiness(call: Call) -> Response:
    """Ready once the pack's types are known, until told to leave."""
    is_ready = call.wiring.standing.is_serving and call.wiring.contract.is_known
    return answered(Health("ready" if is_ready else "not ready"), 200 if is_ready else 503)


async def get_status(call: Call) -> Response:
    serving = await call.up.serving()
    return answered(
        Status(
            status="ok" if all(serving.values()) else "degraded",
            at=wire.rfc3339(clock.now()),
            version=VERSION,
            pack_version=call.wiring.contract.pack_version,
            upstreams={name: "up" if is_up else "down" for name, is_up in serving.items()},
        )
    )


OPERATIONS = (
    Operation("GET", "/status", get_status, "What stands and what does not", answer=Status, tag="health"),
    Operation(*("GET", "/healthz", get_health, "Alive"), answer=Health, tag="health", rate_class=rates.UNLIMITED),
    Operation(
        *("GET", "/readyz", get_readiness, "Ready for requests"),
        answer=Health,
        tag="health",
        rate_class=rates.UNLIMITED,
    ),
)
