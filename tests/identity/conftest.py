"""Identity on a fresh database, with and without its gRPC face."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc.aio
import pytest
from identity.actions import keyring
from identity.main import api_server
from identity.settings import Settings
from kit.auth import Principal, TokenVerifier, service_token
from kit.database import Database
from kit.grpc import call, channel
from kit.testing import TokenMint
from portolan.identity.v1 import identity_pb2_grpc

from tests.identity.builders import SECRET, House, a_house, with_rules


@pytest.fixture
async def house(service_database: Database) -> House:
    await with_rules(service_database)
    house = await a_house(service_database)
    await keyring.keep(house.db, house.vault)
    return house


class BothKeys:
    """Tokens of the test's mint verify, and identity's own."""

    def __init__(self, house: House, mint: TokenMint) -> None:
        self._house, self._mint = house, mint

    async def keys(self) -> dict[str, str]:
        return {**await self._mint.keys(), **await self._house.keys.keys()}


@dataclass
class Face:
    """The service over gRPC, as anybody meets it."""

    house: House
    channel: grpc.aio.Channel
    mint: TokenMint
    verifier: TokenVerifier

    async def call(self, name: str, request: Any, by: Principal | None = None, *, token: str = "") -> Any:
        stub = identity_pb2_grpc.IdentityServiceStub(self.channel)
        return await call(getattr(stub, name), request, token=token or (self.mint.token(by) if by else ""))

    async def call_as_service(self, name: str, request: Any) -> Any:
        return await self.call(name, request, token=service_token("intake", SECRET))


@pytest.fixture
async def face(house: House, mint: TokenMint) -> AsyncIterator[Face]:
    settings = Settings(service_secret=SECRET, grpc_port=0, demo_mode=True)
    verifier = TokenVerifier(BothKeys(house, mint), SECRET)
    server = api_server(settings, house.db, house.vault, house.passwords, house.keys, verifier)
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    async with channel(f"127.0.0.1:{server.port}") as opened:
        yield Face(house, opened, mint, verifier)
    stop.set()
    await running
