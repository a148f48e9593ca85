"""Submissions that wait at the same moment travel to intake in one message of one long stream.

A hop costs the same whether it carries one document or a hundred, and so does a commit behind it (docs: performance).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc.aio
from kit import grpc as kit_grpc
from kit import telemetry
from kit.errors import Unavailable
from portolan.intake.v1.intake_pb2 import Submission, SubmissionAnswer, SubmitDocumentsRequest, SubmitDocumentsResponse

from gateway import metrics
from gateway.settings import GatewaySettings

# Shorter than the grace a server gives to streams of a connection it wants to end, so that none is ever cut off.
STREAM_AGE_S = 20.0
STREAM_END_S = 5.0
RECONNECT_S_MIN = 0.05
RECONNECT_S_MAX = 1.0
# Room is left for the answers, which carry the documents back with receipts.
MESSAGE_DOCUMENT_BYTES_MAX = kit_grpc.MESSAGE_BYTES_MAX // 2

Stream = grpc.aio.StreamStreamCall[SubmitDocumentsRequest, SubmitDocumentsResponse]


@dataclass(slots=True, eq=False)
class _Waiting:
    submission: Submission
    answer: asyncio.Future[SubmissionAnswer]
    is_retried: bool = False


class Submissions:
    def __init__(self, open_stream: Callable[[], Stream], settings: GatewaySettings) -> None:
        self._open_stream = open_stream
        self._documents_max = settings.coalesced_documents_max
        self._messages_max = settings.coalesced_messages_in_flight_max
        self._waiting_max = settings.submissions_waiting_max
        self._linger_s = settings.coalesce_linger_ms / 1000
        self._waiting = 0
        self._queue: deque[_Waiting] = deque()
        self._in_flight: dict[int, list[_Waiting]] = {}
        self._batch = 0
        self._stirred = asyncio.Event()
        self._stop: asyncio.Event | None = None

    async def submit(self, submission: Submission, within_s: float) -> SubmissionAnswer:
        """Raises Unavailable when too many wait or no answer came in time; the same key may then be sent again."""
        if self._waiting >= self._waiting_max:
            raise Unavailable("OVERLOADED", "too many submissions are waiting")
        waiting = _Waiting(submission, asyncio.get_running_loop().create_future())
        self._waiting += 1
        self._forget_gone()
        self._queue.append(waiting)
        self._stirred.set()
        try:
            async with asyncio.timeout(within_s):
                return await waiting.answer
        except TimeoutError as error:
            raise Unavailable("OVERLOADED", "no answer in time; send it again with the same key") from error
        finally:
            self._waiting -= 1

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps one stream open until told to stop; after a failure waits a little longer each time."""
        self._stop = stop
        waker = asyncio.create_task(self._stir_when(stop))
        pause_s = RECONNECT_S_MIN
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._converse()
            except Exception as error:
                pause_s = RECONNECT_S_MIN if time.monotonic() - began > RECONNECT_S_MAX else pause_s
                await self._recover(error, pause_s)
                pause_s = min(pause_s * 2, RECONNECT_S_MAX)
        waker.cancel()

    async def _recover(self, error: Exception, pause_s: float) -> None:
        metrics.STREAM_FAILURES_TOTAL.inc()
        telemetry.log().warning("submission_stream_broken", reason=str(error)[:200], waiting=self._waiting)
        self._put_back()
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))

    async def _converse(self) -> None:
        """One stream's life: written to until it is old, then read to its end."""
        stream = self._open_stream()
        try:
            await stream.wait_for_connection()
            reader = asyncio.create_task(self._read(stream))
            writer = asyncio.create_task(self._write(stream))
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done() and writer.exception() is None:
                await stream.done_writing()
                await asyncio.wait({reader}, timeout=STREAM_END_S)
            await _finish(reader, writer)
            if self._in_flight:
                raise Unavailable("OVERLOADED", "the stream ended with submissions unanswered")
        finally:
            stream.cancel()

    async def _write(self, stream: Stream) -> None:
        old_at = time.monotonic() + STREAM_AGE_S
        while time.monotonic() < old_at and not self._is_stopping():
            await self._gather(old_at)
            batch = self._take()
            if not batch:
                continue
            self._batch += 1
            self._in_flight[self._batch] = batch
            metrics.COALESCED_DOCUMENTS.observe(len(batch))
            submissions = [waiting.submission for waiting in batch]
            await stream.write(SubmitDocumentsRequest(batch=self._batch, submissions=submissions))

    async def _gather(self, old_at: float) -> None:
        """At once when nothing is on its way; otherwise a moment later, when more has gathered and there is room."""
        while (not self._queue or len(self._in_flight) >= self._messages_max) and not self._is_stopping():
            self._stirred.clear()
            try:
                async with asyncio.timeout(max(0.0, old_at - time.monotonic())):
                    await self._stirred.wait()
            except TimeoutError:
                return
        if self._in_flight and len(self._queue) < self._documents_max:
            await asyncio.sleep(self._linger_s)

    def _take(self) -> list[_Waiting]:
        """As many as one message may hold: one over its limit would break the stream for all that are on it."""
        metrics.SUBMISSIONS_WAITING.set(self._waiting)
        batch: list[_Waiting] = []
        room = MESSAGE_DOCUMENT_BYTES_MAX
        self._forget_gone()
        while self._queue and len(batch) < self._documents_max:
            room -= len(self._queue[0].submission.request_json)
            if room < 0 and batch:
                break
            batch.append(self._queue.popleft())
            self._forget_gone()
        return batch

    def _forget_gone(self) -> None:
        """Those first in line whom nobody waits for any more: while intake is away they would pile up without end."""
        while self._queue and self._queue[0].answer.done():
            self._queue.popleft()

    async def _read(self, stream: Stream) -> None:
        async for response in stream:
            batch = self._in_flight.pop(response.batch, [])
            self._stirred.set()
            _resolve(batch, response.answers)

    def _put_back(self) -> None:
        """What was on its way goes once more, first in line: every submission is idempotent. Twice is enough."""
        again: list[_Waiting] = []
        for waiting in (one for number in sorted(self._in_flight) for one in self._in_flight[number]):
            if waiting.answer.done():
                continue
            if waiting.is_retried:
                waiting.answer.set_exception(
                    Unavailable("OVERLOADED", "intake is away; send it again with the same key")
                )
                continue
            waiting.is_retried = True
            again.append(waiting)
        self._in_flight.clear()
        self._queue.extendleft(reversed(again))

    def _is_stopping(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    async def _stir_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stirred.set()


def _resolve(batch: Sequence[_Waiting], answers: Sequence[SubmissionAnswer]) -> None:
    for waiting, answer in zip(batch, answers, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(answer)


async def _finish(*tasks: asyncio.Task[None]) -> None:
    """Ends what still runs; raises what the first of them raised."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
