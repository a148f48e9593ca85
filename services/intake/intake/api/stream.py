"""One stream, many messages at once: answers go back as they are ready, named by their batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from kit import errors
from kit.errors import Malformed, PortolanError, fault
from portolan.intake.v1 import intake_pb2 as pb

from intake.actions.register import Answer
from intake.actions.submitting import Outcome, Submission, SubmissionDesk

MESSAGES_IN_FLIGHT_MAX = 64
# What is still read of a file that was refused half way.
REFUSED_BYTES_MAX = 64 * 1024 * 1024

Chunks = AsyncIterable[pb.StoreAttachmentRequest]
Requests = AsyncIterable[pb.SubmitDocumentsRequest]
Responses = AsyncIterator[pb.SubmitDocumentsResponse]


async def answer_all(desk: SubmissionDesk, requests: Requests) -> Responses:
    """A message is in flight until its answer was taken: who does not listen is not read any further."""
    ready: asyncio.Queue[pb.SubmitDocumentsResponse | None] = asyncio.Queue()
    free = asyncio.Semaphore(MESSAGES_IN_FLIGHT_MAX)
    reader = asyncio.create_task(_read(desk, requests, ready, free))
    try:
        while (response := await ready.get()) is not None:
            yield response
            free.release()
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(
    desk: SubmissionDesk,
    requests: Requests,
    ready: asyncio.Queue[pb.SubmitDocumentsResponse | None],
    free: asyncio.Semaphore,
) -> None:
    async def serve(request: pb.SubmitDocumentsRequest) -> None:
        ready.put_nowait(await answer(desk, request))

    try:
        async with asyncio.TaskGroup() as serving:
            async for request in requests:
                await free.acquire()
                serving.create_task(serve(request))
    finally:
        ready.put_nowait(None)


async def answer(desk: SubmissionDesk, request: pb.SubmitDocumentsRequest) -> pb.SubmitDocumentsResponse:
    submissions = [
        Submission(one.access_token, one.idempotency_key, one.request_json, one.language, one.traceparent)
        for one in request.submissions
    ]
    try:
        outcomes = await desk.submit(submissions)
    except PortolanError as error:
        outcomes = [error] * len(submissions)
    except Exception as error:
        outcomes = [fault("submissions_failed", error)] * len(submissions)
    return pb.SubmitDocumentsResponse(batch=request.batch, answers=[_answer(outcome) for outcome in outcomes])


def _answer(outcome: Outcome) -> pb.SubmissionAnswer:
    if isinstance(outcome, Answer):
        return pb.SubmissionAnswer(
            document_json=outcome.document_json,
            document_id=outcome.document_id,
            etag=outcome.etag,
            replayed=outcome.replayed,
        )
    return pb.SubmissionAnswer(problem=errors.to_problem(outcome))


async def whole(requests: Chunks) -> AsyncIterator[bytes]:
    """A caller who breaks off looks like one who is done. Raises Malformed."""
    is_whole = False
    async for request in requests:
        yield request.chunk
        is_whole = request.is_last
    if not is_whole:
        raise Malformed("MALFORMED", "the file did not arrive whole")


async def heard_out(requests: Chunks) -> None:
    """Who still writes would not hear why it was refused."""
    bytes_heard = 0
    async for request in requests:
        bytes_heard += len(request.chunk)
        if bytes_heard > REFUSED_BYTES_MAX:
            return
