"""What the business tables say, as one number: two histories of one seed must not differ in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from kit.database import Database
from psycopg.rows import tuple_row

QUESTIONS = {
    "intake": (
        "select reference, type, state, version, submitted_at, updated_at from documents order by reference",
        "select d.reference, l.line, l.authorised, l.consumed, l.released from title_lines l"
        " join documents d on d.document_id = l.document_id order by 1, 2",
        "select d.reference, t.seq, t.kind, t.event, t.at from timeline_items t"
        " join documents d on d.document_id = t.document_id order by 1, 2",
    ),
    "routing": (
        "select reference, channel, risk_score, state, outcome from cases order by reference",
        "select c.reference, t.step, t.agency, t.state, t.outcome, t.opened_at, t.decided_at from tasks t"
        " join cases c on c.id = t.case_id order by 1, 2, 3, 6",
    ),
    "billing": (
        "select reference, tariff, milestone, net_minor, vat_minor, occurred_at from charges order by 1, 2, 3",
    ),
    "notifications": ("select rule, count(*) from deliveries group by rule order by rule",),
}


async def digest(databases: Mapping[str, Database]) -> str:
    """Over what people would call the content: references, states, amounts, moments. Not over ids and signatures."""
    found = hashlib.sha256()
    for service, questions in QUESTIONS.items():
        async with databases[service].connection() as connection:
            for question in questions:
                cursor = await connection.cursor(row_factory=tuple_row).execute(question)
                for row in await cursor.fetchall():
                    found.update(repr(row).encode())
    return found.hexdigest()
