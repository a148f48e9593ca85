"""Clients that begin a request and never end it do not keep their connection; what is no HTTP is a problem."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn
from gateway import patience
from gateway.patience import PatientProtocol
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n"
IN_TIME_S = 2.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def connection(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    monkeypatch.setattr(patience, "HEAD_S_MAX", 0.1)
    configuration = uvicorn.Config(PlainTextResponse("here"), lifespan="off", log_config=None)
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: PatientProtocol(configuration, state, {}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(IN_TIME_S):
        return await reader.read(1) == b""


@pytest.mark.parametrize("sent", [b"", b"G", HEAD], ids=["nothing", "a byte", "half a head"])
async def test_half_a_request_does_not_hold_a_connection(connection: Connection, sent: bytes) -> None:
    reader, writer = connection
    writer.write(sent)
    assert await is_closed(reader)


async def test_a_connection_in_use_stays_open_and_is_closed_at_half_a_second_request(connection: Connection) -> None:
    reader, writer = connection
    writer.write(HEAD + b"\r\n")
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(0.2)
    writer.write(HEAD + b"\r\n" + HEAD)
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    assert await is_closed(reader)


@pytest.mark.parametrize("sent", [b"BREW / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", HEAD + b"no colon\r\n\r\n"])
async def test_what_is_no_http_is_refused_as_everything_is(connection: Connection, sent: bytes) -> None:
    reader, writer = connection
    writer.write(sent)
    async with asyncio.timeout(IN_TIME_S):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "MALFORMED")
    assert problem["trace_id"]
