"""Accepting documents, many at a time: one statement writes everything each of them brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit import outbox
from kit.database import Tx
from psycopg.rows import tuple_row

from intake.domain.documents import SUBMIT, Document
from intake.domain.titles import TitleLine

Key = tuple[str, str]
"""An organisation and its Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All that is stored when a document is accepted."""

    document: Document
    idempotency_key: str
    fingerprint: bytes
    submitted_by: str
    answer_head: bytes
    body: bytes
    receipt: bytes
    lines: Sequence[TitleLine]
    event: outbox.OutboxEntry

    @property
    def key(self) -> Key:
        return self.document.submitter_organisation_id, self.idempotency_key


@dataclass(frozen=True, slots=True)
class EarlierAnswer:
    fingerprint: bytes
    document_id: str
    head: bytes
    body: bytes
    receipt: bytes


# Arrays travel in binary (%b): as text, every body would be escaped character by character.
ACCEPT = """
with asked as materialized (
    select *
    from unnest(
        %b::text[], %b::text[], %b::bytea[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::int[], %b::text[]
    ) with ordinality as asked (
        organisation_id, idempotency_key, fingerprint, document_id, answer_head, reference, type, pack_version, state,
        owner_organisation_id, submitted_by, mandate_id, submitted_at, body, body_bytes, receipt, place
    )
),
won as (
    insert into submissions (organisation_id, idempotency_key, fingerprint, document_id, answer_head)
    select organisation_id, idempotency_key, fingerprint, document_id, answer_head
    from asked
    order by place
    on conflict do nothing
    returning document_id
),
accepted as (
    select asked.* from asked join won using (document_id)
),
document as (
    insert into documents (
        document_id, reference, type, pack_version, state, owner_organisation_id, submitter_organisation_id,
        submitted_by, mandate_id, submitted_at, updated_at, items
    )
    select
        document_id, reference, type, pack_version, state, owner_organisation_id, organisation_id,
        submitted_by, mandate_id, submitted_at, submitted_at, 1
    from accepted
),
body as (
    insert into document_versions (document_id, version, body, body_bytes, receipt)
    select document_id, 1, body::json, body_bytes, receipt from accepted
),
item as (
    insert into timeline_items (
        document_id, seq, at, kind, from_state, to_state, event, actor, agency, step, reason_code
    )
    select document_id, 1, submitted_at, 'state', '', state, %s, submitted_by, '', '', '' from accepted
),
title_line as (
    insert into title_lines (document_id, line, hs_code, unit, authorised, tolerance)
    select line.*
    from unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::numeric[], %s::numeric[])
        as line (document_id, line, hs_code, unit, authorised, tolerance)
    join won using (document_id)
    returning document_id, line, authorised
),
entry as (
    insert into title_entries (document_id, line, kind, quantity, actor, at)
    select document_id, line, 'AUTHORISED', authorised, submitted_by, submitted_at
    from title_line join accepted using (document_id)
),
said as (
    insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)
    select event.*
    from unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::timestamptz[])
        as event (event_id, topic, key, type, payload, traceparent, created_at)
    join won on won.document_id::text = event.key
)
select coalesce(array_agg(document_id::text), '{}'), pg_notify(%s, '') from won
"""


async def accept(tx: Tx, acceptances: Sequence[Acceptance]) -> set[str]:
    """The ids of the documents that are accepted now; the others' keys were used before.

    Keys are inserted in one order by everybody, so that two batches cannot wait for each other.
    """
    ordered = sorted(acceptances, key=lambda one: one.key)
    events = outbox.columns([one.event for one in ordered])
    parameters = [*_columns(ordered), SUBMIT, *_line_columns(ordered), *events, outbox.CHANNEL]
    cursor = await tx.cursor(row_factory=tuple_row).execute(ACCEPT, parameters)
    row = await cursor.fetchone()
    return set(row[0]) if row else set()


def _columns(acceptances: Sequence[Acceptance]) -> list[list[Any]]:
    documents = [one.document for one in acceptances]
    return [
        [document.submitter_organisation_id for document in documents],
        [one.idempotency_key for one in acceptances],
        [one.fingerprint for one in acceptances],
        [document.id for document in documents],
        [one.answer_head.decode() for one in acceptances],
        [document.reference for document in documents],
        [document.type for document in documents],
        [document.born_under for document in documents],
        [document.state for document in documents],
        [document.owner_organisation_id for document in documents],
        [one.submitted_by for one in acceptances],
        [document.mandate_id for document in documents],
        [document.submitted_at for document in documents],
        [one.body.decode() for one in acceptances],
        [len(one.body) for one in acceptances],
        [one.receipt.decode() for one in acceptances],
    ]


def _line_columns(acceptances: Sequence[Acceptance]) -> list[list[Any]]:
    lines = [(one.document.id, line) for one in acceptances for line in one.lines]
    return [
        [document_id for document_id, _ in lines],
        [line.line for _, line in lines],
        [line.hs_code for _, line in lines],
        [line.unit for _, line in lines],
        [line.authorised for _, line in lines],
        [line.tolerance for _, line in lines],
    ]


async def earlier_answers(tx: Tx, keys: Sequence[Key]) -> dict[Key, EarlierAnswer]:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select organisation_id, idempotency_key, fingerprint, document_id::text, answer_head, body::text, receipt
        from unnest(%s::text[], %s::text[]) as asked (organisation_id, idempotency_key)
        join submissions using (organisation_id, idempotency_key)
        join document_versions using (document_id)
        where version = 1
        """,
        [[organisation for organisation, _ in keys], [key for _, key in keys]],
    )
    return {
        (row[0], row[1]): EarlierAnswer(row[2], row[3], row[4].encode(), row[5].encode(), row[6].encode())
        for row in await cursor.fetchall()
    }


async def next_block(tx: Tx) -> int:
    """The number of a block of reference numbers that nobody else will ever have."""
    cursor = await tx.cursor(row_factory=tuple_row).execute("select nextval('reference_blocks')")
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 -- nextval always answers
    return int(row[0])
