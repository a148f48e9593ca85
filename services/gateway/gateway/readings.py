"""What officers are shown of documents in their queue is told to intake's access log; nobody waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kit.errors import PortolanError
from portolan.intake.v1 import intake_pb2

from gateway import metrics
from gateway.call import Call

TELLING_MAX = 200
_telling: set[asyncio.Task[None]] = set()


def told(call: Call, document_ids: Sequence[str]) -> None:
    """In the caller's name. What finds no room, or no intake, is counted."""
    if not document_ids:
        return
    if len(_telling) >= TELLING_MAX:
        metrics.READINGS_UNTOLD_TOTAL.inc(len(document_ids))
        return
    telling = asyncio.create_task(_tell(call, list(dict.fromkeys(document_ids))))
    _telling.add(telling)
    telling.add_done_callback(_telling.discard)


async def _tell(call: Call, document_ids: Sequence[str]) -> None:
    request = intake_pb2.NoteReadingsRequest(action=call.operation_id, document_ids=document_ids)
    try:
        await call.ask(call.up.intake.NoteReadings, request)
    except PortolanError:
        metrics.READINGS_UNTOLD_TOTAL.inc(len(document_ids))
