"""A whole gateway on a real port, before services that are fakes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from gateway import main
from gateway.settings import GatewaySettings
from kit.auth import Principal
from kit.testing import TokenMint, a_principal

from tests.gateway.fakes import FakeServices

START_S = 10.0


@dataclass
class House:
    services: FakeServices
    http: httpx.AsyncClient
    mint: TokenMint
    port: int

    def bearer(self, *roles: str, principal: Principal | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {self.mint.token(principal or a_principal(*roles))}"}

    async def submit(
        self, key: str, content: bytes = b'{"type":"paper.a","body":{}}', **headers: str
    ) -> httpx.Response:
        asked = {**self.bearer("declarant"), "content-type": "application/json", "idempotency-key": key, **headers}
        return await self.http.post("/v1/documents", content=content, headers=asked)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def a_house(mint: TokenMint, **settings: object) -> AsyncIterator[House]:
    services = FakeServices(mint)
    await services.start_all()
    port = free_port()
    chosen = GatewaySettings(http_port=port, drain_s=0.0, **services.targets(), **settings)  # type: ignore[arg-type]
    stop = asyncio.Event()
    running = asyncio.create_task(main.serve(chosen, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        await until_ready(http)
        yield House(services, http, mint, port)
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
