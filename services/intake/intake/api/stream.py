"""One stream, many messages at once: answers go back as they are ready, named by their batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from kit import errors
from kit.errors import PortolanError, fault
from portolan.intake.v1 import intake_pb2 as pb

from intake.actions.register import Answer
from intake.actions.submitting import Outcome, Submission, SubmissionDesk

MESSAGES_IN_FLIGHT_MAX = 64

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
