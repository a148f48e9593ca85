"""The one thread a Kafka client lives in: clients are not safe for two, and their calls block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from kit.errors import Unavailable

T = TypeVar("T")
Call = tuple[Callable[[], Any], "Future[Any]"]


class ClientThread:
    """A daemon, so that a client that hangs cannot keep a process from leaving."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._is_ended = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """Calls go one after another; one that was begun ends, whatever becomes of who waits for it."""
        if self._is_ended:
            raise Unavailable("OVERLOADED", "the client of the bus is closed")
        return await asyncio.wrap_future(self._put(call))

    async def end(self, last: Callable[[], None], limit_s: float) -> None:
        """Makes the last call after those under way and waits for it, though no longer than `limit_s`."""
        if self._is_ended:
            return
        self._is_ended = True
        ending = asyncio.wrap_future(self._put(last))
        self._calls.put(None)
        await asyncio.wait((ending,), timeout=limit_s)

    def _put(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._calls.put((call, future))
        return future

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            _answer(*item)


def _answer(call: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
