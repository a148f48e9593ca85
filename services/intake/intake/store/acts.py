"""What was answered to acts on standing documents, by the key they came with."""

from __future__ import annotations

from dataclasses import dataclass

from kit.database import Tx
from psycopg.rows import tuple_row


@dataclass(frozen=True, slots=True)
class EarlierAct:
    fingerprint: bytes
    etag: str
    head: bytes
    body: bytes
    receipt: bytes
    tail: bytes


async def earlier(tx: Tx, organisation_id: str, idempotency_key: str) -> EarlierAct | None:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select fingerprint, etag, answer_head, body::text, receipt, answer_tail
        from acts
        join document_versions using (document_id, version)
        where organisation_id = %s and idempotency_key = %s
        """,
        [organisation_id, idempotency_key],
    )
    row = await cursor.fetchone()
    return EarlierAct(row[0], row[1], *(text.encode() for text in row[2:])) if row else None


async def remember(
    tx: Tx,
    organisation_id: str,
    idempotency_key: str,
    fingerprint: bytes,
    content: tuple[str, int],
    answer: tuple[bytes, bytes, str],
) -> bool:
    """`content` is the document and the version shown; `answer` its head, its tail and its ETag. False: key used."""
    head, tail, etag = answer
    cursor = await tx.execute(
        """
        insert into acts (
            organisation_id, idempotency_key, fingerprint, document_id, version, answer_head, answer_tail, etag
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [organisation_id, idempotency_key, fingerprint, *content, head.decode(), tail.decode(), etag],
    )
    return cursor.rowcount > 0
