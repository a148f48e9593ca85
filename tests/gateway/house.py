"""A whole gateway on a real port, before services that are fakes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx
from gateway import main
from gateway.settings import GatewaySettings
from kit.auth import Principal
from kit.testing import TokenMint, a_principal
from portolan_cli.embedded import ports

from tests.gateway.fakes.services import FakeServices

START_S = 10.0


@dataclass
class House:
    services: FakeServices
    http: httpx.AsyncClient
    mint: TokenMint
    port: int
    stop: asyncio.Event
    running: asyncio.Task[None]

    def bearer(self, *roles: str, principal: Principal | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {self.mint.token(principal or a_principal(*roles))}"}

    async def submit(
        self,
        key: str,
        content: bytes = b'{"type":"paper.a","body":{}}',
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        own = {**self.bearer("declarant"), "content-type": "application/json", "idempotency-key": key}
        return await self.http.post("/v1/documents", content=content, headers=own | dict(headers))


@contextlib.asynccontextmanager
async def a_house(mint: TokenMint, **settings: Any) -> AsyncIterator[House]:
    services = FakeServices(mint)
    await services.start_all()
    port = ports.free()
    chosen = GatewaySettings(**{"http_port": port, "drain_s": 0.0, **services.targets(), **settings})
    stop = asyncio.Event()
    running = asyncio.create_task(main.serve(chosen, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        await until_ready(http)
        yield House(services, http, mint, port, stop, running)
    stop.set()
    await running
    await services.kill_all()


async def until_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.02)
