"""How far behind the services are with what was acknowledged: the seconds until caught up are counted by this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from portolan_cli.reference.book import Book

CONNECT_S = 2
STATEMENT_MS = 4_000

CASES = "select count(*) from cases where document_id = any(%s)"
TASKS = "select count(*) from tasks where document_id = any(%s)"
CHARGED = "select count(distinct document_id) from charges where document_id = any(%s)"
KNOWN = "select count(*) from documents where document_id = any(%s) and reference is not null"
ON_TIMELINES = "select count(*) from timeline_items where document_id = any(%s::uuid[]) and kind = 'task_opened'"
UNPUBLISHED = "select count(*) from outbox where published_at is null"
LETTERS = "select count(*) from deliveries where state = 'PENDING' and channel = 'email'"
WAITING = "select count(*) from waiting_events"


@dataclass(frozen=True)
class Pulse:
    urls: Mapping[str, str]
    charged_at_once: frozenset[str]

    def behind(self, documents: Mapping[str, str]) -> dict[str, int]:
        """What is still owed to these documents (id to type), by service; `nobody answers` while a database is away."""
        ids = list(documents)
        owed_charges = sum(kind in self.charged_at_once for kind in documents.values())
        try:
            tasks = self._count("routing", TASKS, ids)
            owed = {
                "routing": len(ids) - self._count("routing", CASES, ids),
                "intake": tasks - self._count("intake", ON_TIMELINES, ids),
                "billing": owed_charges - self._count("billing", CHARGED, ids),
                "notifications": len(ids) - self._count("notifications", KNOWN, ids),
            }
        except psycopg.Error:
            return {"nobody answers": 1}
        return {name: count for name, count in owed.items() if count > 0}

    def undrained(self) -> dict[str, int]:
        """What is still on its way at all."""
        owed = {"nobody answers": 1}
        with suppress(psycopg.Error):
            owed = {f"{name} unpublished": self._count(name, UNPUBLISHED) for name in self.urls}
            owed["letters"] = self._count("notifications", LETTERS)
            owed["waiting events"] = self._count("notifications", WAITING)
        return {name: count for name, count in owed.items() if count > 0}

    def _count(self, service: str, question: str, ids: Sequence[str] | None = None) -> int:
        options = f"-c statement_timeout={STATEMENT_MS}"
        with psycopg.connect(self.urls[service], connect_timeout=CONNECT_S, options=options) as connection:
            row = connection.execute(question, None if ids is None else [list(ids)]).fetchone()
        return int(row[0]) if row else 0


def charged_at_once(book: Book, day: str) -> frozenset[str]:
    """Types whose submission itself is charged."""
    billed = [(str(item.get("document_type") or ""), item.get("billed_at")) for item in book.tariff(day)["items"]]
    return frozenset(
        key
        for key, kind in book.types.items()
        if any(named in (key, key.partition(".")[0] + ".*") and at == kind["initial_state"] for named, at in billed)
    )
