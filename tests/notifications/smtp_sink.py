"""A small real SMTP server: takes letters in, or says no where it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

OK = "250 fine"


class SmtpSink:
    """`answers` maps a command, or BODY, to a refusal."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.messages: list[bytes] = []
        self.port = 0
        self._answers = answers or {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _say(writer, "220 sink")
        while line := await reader.readline():
            command = line.decode().strip().partition(" ")[0].upper()
            if command == "DATA":
                await self._take(reader, writer)
            elif command == "QUIT":
                _say(writer, "221 bye")
                break
            else:
                _say(writer, self._answers.get(command, OK))
            await writer.drain()
        writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _say(writer, "354 go on")
        lines = []
        while (line := await reader.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        refusal = self._answers.get("BODY")
        if refusal is None:
            self.messages.append(b"".join(lines))
        _say(writer, refusal or OK)


def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(line.encode() + b"\r\n")
