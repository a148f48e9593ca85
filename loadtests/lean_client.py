"""A keep-alive HTTP/1.1 client that costs next to nothing, so that the generator does not measure itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Connection:
    """One request at a time on one socket."""

    def __init__(self, host: str, port: int, head: Sequence[str]) -> None:
        self._host, self._port = host, port
        self._head = "".join(f"{line}\r\n" for line in (f"host: {host}:{port}", *head))
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, *head: str) -> Answer:
        reader, writer = await self._opened()
        lines = "".join(f"{line}\r\n" for line in head)
        length = f"content-length: {len(body)}\r\n\r\n"
        writer.write(f"POST {path} HTTP/1.1\r\n{self._head}{lines}{length}".encode() + body)
        answered = await reader.readuntil(b"\r\n\r\n")
        length_at = answered.lower().index(b"content-length:") + 15
        size = int(answered[length_at : answered.index(b"\r\n", length_at)])
        return Answer(int(answered[9:12]), await reader.readexactly(size))

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self._reader, self._writer

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()
