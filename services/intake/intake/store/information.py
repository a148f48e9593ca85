"""Requests for information about a document, read and written under the document's lock."""

from __future__ import annotations

from collections.abc import Sequence

from kit.database import Tx
from psycopg.rows import class_row

from intake.domain.information import Request

COLUMNS = """
    request_id as id, document_id::text, task_id, agency, step, questions, requested_at, due_at, returns_to, state,
    answers
"""


async def of_document(tx: Tx, document_id: str) -> Sequence[Request]:
    """In the order they were asked."""
    cursor = await tx.cursor(row_factory=class_row(Request)).execute(
        f"""
        select {COLUMNS} from information_requests where document_id = %s order by requested_at, request_id
        """,  # noqa: S608
        [document_id],
    )
    return await cursor.fetchall()


async def save(tx: Tx, request: Request) -> None:
    await tx.execute(
        """
        insert into information_requests (
            request_id, document_id, task_id, agency, step, questions, answers, returns_to, state, requested_at, due_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (request_id) do update set answers = excluded.answers, state = excluded.state
        """,
        [
            *(request.id, request.document_id, request.task_id, request.agency, request.step),
            *(list(request.questions), list(request.answers), request.returns_to, request.state),
            *(request.requested_at, request.due_at),
        ],
    )
