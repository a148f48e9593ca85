"""Is a child ready: services by the gRPC health service, the gateway by /readyz, others by their metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from kit import grpc as kit_grpc

from portolan_cli.embedded import ports
from portolan_cli.embedded.plan import ServicePlan

Probe = Callable[[ServicePlan], Awaitable[bool]]

PROBE_S = 1.0


async def is_ready(plan: ServicePlan) -> bool:
    if plan.http_port:
        return await answers_http(plan.http_port)
    return await serves_grpc(plan.grpc_port) if plan.grpc_port else await accepts(plan.metrics_port)


async def serves_grpc(port: int) -> bool:
    # A connection attempt costs nothing while the service still imports; a gRPC channel would back off.
    if not await accepts(port):
        return False
    channel = kit_grpc.channel(f"{ports.LOOPBACK}:{port}")
    try:
        return await kit_grpc.is_serving(channel, PROBE_S)
    finally:
        await channel.close()


async def answers_http(port: int) -> bool:
    if not await accepts(port):
        return False
    try:
        async with httpx.AsyncClient(timeout=PROBE_S) as client:
            return (await client.get(f"http://{ports.LOOPBACK}:{port}/readyz")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def accepts(port: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(ports.LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
