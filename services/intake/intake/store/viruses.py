"""Searching files for viruses: a port, ClamAV behind it (INSTREAM), and nobody behind it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator
from typing import Protocol

from kit.errors import Unavailable

SEARCH_S_MAX = 60.0
CONNECT_S_MAX = 2.0
REPLY_BYTES_MAX = 4096
COMMAND = b"zINSTREAM\0"
LENGTH = struct.Struct(">I")


class VirusSearch(Protocol):
    async def finding(self, chunks: AsyncGenerator[bytes, None]) -> str:
        """The name of what was found, empty for a clean file. Raises Unavailable when nobody can say."""


class NoSearch:
    """Where the settings name no search, every file is taken as clean."""

    async def finding(self, chunks: AsyncGenerator[bytes, None]) -> str:
        await chunks.aclose()
        return ""


class Clamd:
    """One connection a file: the command, then its bytes in chunks, each after its length, then an empty one."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)

    async def finding(self, chunks: AsyncGenerator[bytes, None]) -> str:
        try:
            async with asyncio.timeout(SEARCH_S_MAX), contextlib.aclosing(chunks):
                return _finding(await self._asked(chunks))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unavailable("OVERLOADED", "the search for viruses does not answer") from error

    async def _asked(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        async with asyncio.timeout(CONNECT_S_MAX):
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=REPLY_BYTES_MAX)
        try:
            writer.write(COMMAND)
            async for chunk in chunks:
                writer.write(LENGTH.pack(len(chunk)) + chunk)
                await writer.drain()
            writer.write(LENGTH.pack(0))
            await writer.drain()
            return await reader.readuntil(b"\0")
        finally:
            writer.close()


def _finding(reply: bytes) -> str:
    """`stream: OK`, `stream: NAME FOUND`; anything else is no verdict. Raises Unavailable."""
    text = reply.rstrip(b"\0").decode("utf-8", "replace").removeprefix("stream: ").strip()
    if text == "OK":
        return ""
    if text.endswith(" FOUND"):
        return text.removesuffix(" FOUND")[:200]
    raise Unavailable("OVERLOADED", f"the search for viruses says: {text[:200]}")
