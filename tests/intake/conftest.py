"""Intake on a fresh database, with and without its gRPC face."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from intake.actions.accessing import AccessLog
from intake.actions.drafting import DraftDesk
from intake.actions.following import TimelineWatch
from intake.main import api_server, draft_limits
from intake.settings import Settings
from kit.auth import Principal
from kit.database import Database
from kit.grpc import call, channel
from kit.testing import TokenMint
from portolan.intake.v1 import intake_pb2_grpc

from tests.intake.builders import SECRET, Window, a_window, the_attachments


@pytest.fixture
async def window(service_database: Database, mint: TokenMint) -> AsyncIterator[Window]:
    window = await a_window(service_database, mint)
    window.register.open()
    yield window
    await window.register.close()


@dataclass
class Face:
    """The service over gRPC, as anybody meets it."""

    window: Window
    channel: grpc.aio.Channel

    @property
    def stub(self) -> Any:
        return intake_pb2_grpc.IntakeServiceStub(self.channel)

    async def call(self, name: str, request: Any, by: Principal | None = None) -> Any:
        return await call(getattr(self.stub, name), request, token=self.window.mint.token(by) if by else "")


@pytest.fixture
async def face(window: Window, tmp_path: Path) -> AsyncIterator[Face]:
    settings = Settings(service_secret=SECRET, grpc_port=0)
    watch, accesses = TimelineWatch(window.db), AccessLog(window.db)
    drafts = DraftDesk(window.db, window.rulebooks, window.directory, draft_limits(settings))
    server = api_server(
        *(settings, window.db, window.rulebooks, window.verifier, window.directory, window.register),
        *(watch, await the_attachments(window, tmp_path), accesses, drafts),
    )
    stop = asyncio.Event()
    running = asyncio.gather(server.run(stop), watch.run(stop))
    async with channel(f"127.0.0.1:{server.port}") as opened:
        yield Face(window, opened)
    stop.set()
    await running
