"""Server-sent events: an answer that lasts, and how it ends: by its caller, by its time, or with this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator

from kit import telemetry
from kit.errors import Busy, Unavailable
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.settings import GatewaySettings

EVENT_STREAM = "text/event-stream"
SEND_S_MAX = 10.0
LAST_SEND_S_MAX = 0.5


class Streams:
    """How many are open, each client's and all together; and the word to end them all."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.leaving = asyncio.Event()
        self.life_s = settings.stream_life_s
        self._max = settings.streams_max
        self._per_client_max = settings.streams_per_client_max
        self._open: Counter[str] = Counter()

    def enter(self, client: str) -> None:
        """Raises Busy, Unavailable. `leave` must follow."""
        if self._open.total() >= self._max:
            raise Unavailable("OVERLOADED", "too many streams are open here")
        if self._open[client] >= self._per_client_max:
            raise Busy("RATE_LIMITED", f"at most {self._per_client_max} streams at a time")
        self._open[client] += 1

    def leave(self, client: str) -> None:
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]

    @contextlib.contextmanager
    def place(self, client: str) -> Iterator[None]:
        self.enter(client)
        try:
            yield
        finally:
            self.leave(client)


class EventStream(Response):
    """`events` are bytes ready to send. Who does not read for SEND_S_MAX is left."""

    media_type = EVENT_STREAM

    def __init__(self, events: AsyncGenerator[bytes, None], streams: Streams, client: str) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._streams = streams
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place(self._client):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._until_over(receive, send)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SEND_S_MAX):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_over(self, receive: Receive, send: Send) -> None:
        ends = [
            asyncio.create_task(self._pump(send)),
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(_set(self._streams.leaving)),
        ]
        try:
            await asyncio.wait(ends, timeout=self._streams.life_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            pumped, *_ = await asyncio.gather(*ends, return_exceptions=True)
            if isinstance(pumped, Exception) and not isinstance(pumped, TimeoutError):
                telemetry.log().error("stream_failed", exc_info=pumped)

    async def _pump(self, send: Send) -> None:
        async with contextlib.aclosing(self._events) as events:
            async for one in events:
                async with asyncio.timeout(SEND_S_MAX):
                    await send({"type": "http.response.body", "body": one, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def event(data: bytes, *, event_id: int | None = None, name: str = "") -> bytes:
    """`data` is JSON on one line."""
    head = (b"id: %d\n" % event_id if event_id is not None else b"") + (f"event: {name}\n".encode() if name else b"")
    return b"%sdata: %s\n\n" % (head, data)


def retry(milliseconds: int) -> bytes:
    """What a client waits before it comes again."""
    return b"retry: %d\n\n" % milliseconds


HEARTBEAT = b": still here\n\n"
