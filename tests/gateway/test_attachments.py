"""Files through the gateway: in pieces, within their limit, and never shown in our name."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from gateway.settings import GatewaySettings
from kit.errors import Refused, UnsupportedMediaType

from tests.gateway.house import House

BYTES_MAX = GatewaySettings().attachment_bytes_max
CONTENT = bytes(range(256)) * 20_000


async def test_a_file_goes_up_in_pieces_and_comes_down_the_same(house: House) -> None:
    headers = house.bearer("declarant")
    stored = await house.http.post("/v1/attachments", content=CONTENT, headers=headers)
    assert stored.status_code == 201
    assert stored.json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert house.services.intake.pieces > 20
    fetched = await house.http.get(stored.headers["location"], headers=headers)
    assert fetched.content == CONTENT
    assert fetched.headers["content-length"] == str(len(CONTENT))
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"].startswith("attachment;")
    assert fetched.headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_says_it_is_too_large_is_not_read(house: House) -> None:
    headers = {**house.bearer("declarant"), "content-length": str(BYTES_MAX + 1)}

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * (BYTES_MAX + 1)

    answer = await house.http.post("/v1/attachments", content=content(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert house.services.intake.pieces == 0


async def test_a_file_that_turns_out_too_large_is_refused_on_the_way(house: House) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BYTES_MAX // 65_536 + 2):
            yield b"x" * 65_536

    answer = await house.http.post("/v1/attachments", content=endless(), headers=house.bearer("declarant"))
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert house.services.intake.attachments == {}


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_what_intake_refuses_is_a_problem_also_half_way(house: House, size: int) -> None:
    house.services.intake.refusal = UnsupportedMediaType("UNSUPPORTED_MEDIA_TYPE")
    for _ in range(2):
        answer = await house.http.post("/v1/attachments", content=b"M" * size, headers=house.bearer("declarant"))
        assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_file_that_may_not_be_handed_out_is_a_problem(house: House) -> None:
    house.services.intake.refusal = Refused("ATTACHMENT_INFECTED")
    headers = {**house.bearer("declarant"), "accept-language": "fr"}
    answer = await house.http.get("/v1/attachments/" + "0" * 64, headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (409, "Un virus a été trouvé dans le fichier")


async def test_a_sender_who_leaves_half_way_leaves_nothing(house: House) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    token = house.bearer("declarant")["authorization"]
    head = f"POST /v1/attachments HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: 1000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 300_000)
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    await asyncio.sleep(0.2)
    assert house.services.intake.attachments == {}
    assert (await house.http.get("/readyz")).status_code == 200
