"""Wires the gateway by hand, in plain order, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial

import uvicorn
from kit import service
from kit.auth import TokenVerifier
from kit.process import Parts
from kit.remote_keys import RemoteKeys
from starlette.types import ASGIApp

from gateway import openapi
from gateway.app import create_app
from gateway.contract import Contract
from gateway.patience import PatientProtocol
from gateway.rates import Rates
from gateway.routes import OPERATIONS
from gateway.settings import GatewaySettings
from gateway.standing import Board
from gateway.streams import Streams
from gateway.submissions import Submissions
from gateway.upstreams import Upstreams
from gateway.wiring import Wiring

KEEP_ALIVE_S = 75
BACKLOG = 4096
GRACE_S = 5


class Server(uvicorn.Server):
    """Signals are the process's (kit.process), not the HTTP server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def build(settings: GatewaySettings) -> Parts:
    return Parts(loops={"api": partial(serve, settings)})


async def serve(settings: GatewaySettings, stop: asyncio.Event) -> None:
    wiring = wire(settings)
    keys = RemoteKeys(wiring.upstreams.channels["identity"])
    late_stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(service.watch_revocations(wiring.verifier, keys, wiring.shared, stop))
            tasks.create_task(wiring.shared.run(stop))
            tasks.create_task(wiring.board.run(stop))
            tasks.create_task(wiring.contract.run(stop))
            tasks.create_task(wiring.submissions.run(late_stop))
            await _serve_http(create_app(wiring), wiring, stop)
            late_stop.set()
    finally:
        await wiring.upstreams.close()
        await wiring.shared.close()


def wire(settings: GatewaySettings) -> Wiring:
    upstreams = Upstreams.open(settings)
    shared = service.shared(settings, settings.rate_sharers)
    return Wiring(
        settings=settings,
        upstreams=upstreams,
        verifier=TokenVerifier(RemoteKeys(upstreams.channels["identity"]), told=service.tokens_told(settings, shared)),
        rates=Rates(settings, shared),
        submissions=Submissions(upstreams.open_submissions, settings),
        contract=Contract(upstreams, partial(openapi.build, OPERATIONS)),
        streams=Streams(settings),
        shared=shared,
        board=Board(upstreams, shared, has_redis=bool(settings.redis_url)),
    )


async def _serve_http(app: ASGIApp, wiring: Wiring, stop: asyncio.Event) -> None:
    """Serves until told to stop; then says not ready, gives others a moment to notice, and finishes what was begun."""
    server = Server(_configuration(app, wiring.settings))
    running = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    wiring.standing.is_serving = True
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    wiring.standing.is_serving = False
    stopping.cancel()
    wiring.streams.leaving.set()
    if not running.done():
        await asyncio.sleep(wiring.settings.drain_s)
        server.should_exit = True
    await running


def _configuration(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="none",
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )
