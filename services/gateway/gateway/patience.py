"""HTTP below the application: a connection on which no whole request head arrives is closed, no HTTP is a problem.

Without an end to patience, anybody could hold as many connections as the process has file descriptors, by sending one
byte on each.
"""

from __future__ import annotations

import asyncio

import msgspec
from kit import trace
from kit.errors import Malformed
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problems

HEAD_S_MAX = 20.0


class PatientProtocol(HttpToolsProtocol):
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What the parser refuses never reaches the application, and is refused as everything else is."""
        trace.begin("")
        content = msgspec.json.encode(problems.body(Malformed("MALFORMED", "this is no HTTP request"), ""))
        fields = f"content-type: {problems.MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n"
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{fields}\r\n".encode() + content)
        self.transport.close()

    def _expect_head(self) -> None:
        self._expect_nothing()
        self._due = self.loop.call_later(HEAD_S_MAX, self.timeout_keep_alive_handler)

    def _expect_nothing(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
