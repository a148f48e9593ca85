"""The timeline as it grows: every item once, in order, from wherever the caller had got to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import msgspec
from kit import clock
from kit import grpc as kit_grpc
from kit.errors import Malformed, PortolanError, Unavailable
from portolan.intake.v1 import intake_pb2
from portolan.intake.v1.intake_pb2 import TimelineItem
from starlette.responses import Response

from gateway import session
from gateway.authority import AUTHORITY
from gateway.call import Call
from gateway.operation import Operation
from gateway.streams import EVENT_STREAM, HEARTBEAT, EventStream, event, retry

# Each wait is asked anew with the caller's token: what it may no longer see ends within this.
WAIT_S = 4.0
ANSWER_S = 1.5
HEARTBEAT_S = 12.0
AWAY_PAUSE_S = 0.5
RETRY_MS = 1_000
SEQ_DIGITS_MAX = 9


async def follow_timeline(call: Call, document_id: str) -> Response:
    """The first question is asked before the answer begins, so that a refusal is a problem like any other."""
    seen = _last_seen(call.header("last-event-id"))
    client = call.principal.subject
    with call.wiring.streams.place(client):
        first = await _news(call, document_id, seen, 0.0)
    return EventStream(_events(call, document_id, seen, first), call.wiring.streams, client)


def _last_seen(last_event_id: str) -> int:
    """Raises Malformed."""
    if not last_event_id:
        return 0
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= SEQ_DIGITS_MAX):
        raise Malformed("MALFORMED", "Last-Event-ID is the id of an event of this stream")
    return int(last_event_id)


async def _events(
    call: Call, document_id: str, seen: int, found: Sequence[TimelineItem]
) -> AsyncGenerator[bytes, None]:
    yield retry(RETRY_MS)
    spoke_at = time.monotonic()
    while True:
        for item in found:
            yield event(item.item_json, event_id=item.seq)
            seen, spoke_at = item.seq, time.monotonic()
        if time.monotonic() - spoke_at >= HEARTBEAT_S:
            yield HEARTBEAT
            spoke_at = time.monotonic()
        try:
            found = await _next(call, document_id, seen)
        except PortolanError as error:
            yield event(msgspec.json.encode({"code": error.code}), name="end")
            return


async def _next(call: Call, document_id: str, seen: int) -> Sequence[TimelineItem]:
    """What came meanwhile; nothing also while intake is away. Raises what the caller is refused with."""
    caller = await session.principal(call.wiring.verifier, call.request.scope)
    session.admit(AUTHORITY[call.operation_id], caller)
    began = time.monotonic()
    try:
        found = await _news(call, document_id, seen, min(WAIT_S, max(0.0, caller.expires_at - clock.issuer_s())))
    except Unavailable:
        found = []
    if not found and time.monotonic() - began < AWAY_PAUSE_S:
        await asyncio.sleep(AWAY_PAUSE_S)
    return found


async def _news(call: Call, document_id: str, seen: int, wait_s: float) -> Sequence[TimelineItem]:
    request = intake_pb2.WaitTimelineRequest(id=document_id, after_seq=seen, wait_ms=round(wait_s * 1000))
    kit_grpc.begin_budget(wait_s + ANSWER_S)
    reply = await kit_grpc.call(
        call.up.intake.WaitTimeline,
        request,
        token=call.principal.token,
        language=call.asked_language,
        deadline_s=wait_s + ANSWER_S,
    )
    found: Sequence[TimelineItem] = reply.items
    return found


OPERATIONS = (
    Operation(
        *("GET", "/v1/documents/{document_id}/timeline/stream", follow_timeline),
        "The timeline as server-sent events: `id` is `seq`, `data` an item; `Last-Event-ID` goes on after it",
        tag="documents",
        answer_media_type=EVENT_STREAM,
        request_headers=("Last-Event-ID?",),
    ),
)
