"""What the outbox holds, decoded; and a plain look into a table."""

from typing import Any

from google.protobuf.message import Message
from kit import outbox
from kit.database import Database
from kit.events import Decoder
from portolan.routing.v1 import events_pb2
from psycopg.rows import tuple_row

DECODER = Decoder(
    [
        events_pb2.CaseOpened,
        events_pb2.TaskOpened,
        events_pb2.TaskSigned,
        events_pb2.TaskDecided,
        events_pb2.CaseClosed,
        events_pb2.DeadlineMissed,
        events_pb2.DeadlineNear,
        events_pb2.InformationRequested,
        events_pb2.InformationLapsed,
        events_pb2.TaskResumed,
        events_pb2.VisitProposed,
        events_pb2.VisitConfirmed,
        events_pb2.VisitDeclined,
        events_pb2.VisitMissed,
        events_pb2.ControlResult,
    ]
)


async def told(database: Database, document_id: str = "") -> list[Any]:
    async with database.transaction() as tx:
        waiting = await outbox.unpublished(tx, 1000)
    events = [event for _, event in waiting if document_id in {"", event.key}]
    messages: list[Message] = [DECODER.decode(event) for event in events]
    return messages


async def rows(database: Database, query: Any) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        cursor = await connection.cursor(row_factory=tuple_row).execute(query)
        return await cursor.fetchall()
