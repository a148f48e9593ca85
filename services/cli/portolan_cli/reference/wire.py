"""A keep-alive HTTP/1.1 client that costs next to nothing, so that many players may act at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from portolan_cli.client import Credentials, Portolan

UNAUTHORIZED = 401
AGAIN_LATER = frozenset({429, 502, 503, 504})
ATTEMPTS_MAX = 40
PAUSE_S_MAX = 2.0


@dataclass(frozen=True)
class Reply:
    status: int
    content: Any
    etag: str

    @property
    def code(self) -> str:
        return str(self.content.get("code", "")) if isinstance(self.content, dict) else ""


class NoAnswer(Exception):
    """The window did not answer in all attempts."""


@dataclass
class Wire:
    """Tokens come from `portolan`, which is patient and asks in a thread."""

    portolan: Portolan
    connections_max: int
    calls: int = 0
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.connections_max)
        address = urlsplit(self.portolan.base_url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80

    async def get(self, path: str, by: Credentials) -> Reply:
        return await self.call("GET", path, by)

    async def post(self, path: str, by: Credentials, body: object, **head: str) -> Reply:
        return await self.call("POST", path, by, json.dumps(body, ensure_ascii=False).encode(), head)

    async def call(
        self, method: str, path: str, by: Credentials, body: bytes = b"", head: Mapping[str, str] | None = None
    ) -> Reply:
        """Again while the window is busy or a connection breaks: every call is safe to repeat."""
        trouble = ""
        for attempt in range(ATTEMPTS_MAX):
            token = await self._token(by)
            try:
                reply = await self._exchange(method, path, token, body, head or {})
            except (OSError, asyncio.IncompleteReadError) as error:
                trouble = repr(error)
            else:
                if reply.status == UNAUTHORIZED and not attempt:
                    # A token that was outlived when the clock was moved on.
                    self._tokens.pop(by.client_id, None)
                    self.portolan.forget(by)
                    continue
                if reply.status not in AGAIN_LATER:
                    return reply
                trouble = f"{reply.status} {reply.content}"
            await asyncio.sleep(min(PAUSE_S_MAX, 0.05 * 2**attempt))
        raise NoAnswer(f"{method} {path}: {trouble}")

    async def _token(self, by: Credentials) -> str:
        token, until = self._tokens.get(by.client_id, ("", 0.0))
        if time.monotonic() > until:
            token = await asyncio.to_thread(self.portolan.token, by)
            self._tokens[by.client_id] = (token, time.monotonic() + 30)
        return token

    async def _exchange(self, method: str, path: str, token: str, body: bytes, head: Mapping[str, str]) -> Reply:
        async with self._places:
            self.calls += 1
            reader, writer = await self._connection()
            try:
                lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
                lines += [f"host: {self._host}:{self._port}", f"authorization: Bearer {token}"]
                lines += ["content-type: application/json", f"content-length: {len(body)}"]
                writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body)
                reply = await _read(reader)
            except BaseException:
                writer.close()
                raise
            self._idle.append((reader, writer))
            return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port, limit=1 << 20)

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Reply(int(head[0].split()[1]), json.loads(body) if body else None, fields.get("etag", ""))
