"""Wait until it is quiet, then look at everything; what is found wrong is looked at again while there is time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from portolan_cli.reconcile import documents, events, sums
from portolan_cli.reconcile.databases import SERVICES, Books, opened
from portolan_cli.reconcile.findings import Report

LOOK_AGAIN_S = 0.5
MOVING = (
    ("select count(*) from outbox where published_at is null", SERVICES),
    ("select count(*) from replays where finished_at is null", SERVICES),
    ("select count(*) from waiting_events", ("notifications",)),
)
# Nothing more is heard when this stays the same.
HEARD_SO_FAR = "select coalesce(sum(n_tup_ins), 0) from pg_stat_user_tables where relname like 'inbox%'"


def reconcile(urls: Mapping[str, str], settle_s: float) -> Report:
    limit = time.monotonic() + settle_s
    while True:
        _settle(urls, limit)
        report = examine(urls)
        if report.is_clean or time.monotonic() >= limit:
            return report
        time.sleep(LOOK_AGAIN_S)


def examine(urls: Mapping[str, str]) -> Report:
    report = Report()
    with opened(urls) as books:
        documents.examine(books, report)
        events.examine(books, report)
        sums.examine(books, report)
    return report


def _settle(urls: Mapping[str, str], limit: float) -> None:
    """Quiet is: nothing moves, and nothing was heard since the look before."""
    before: list[int] = []
    while time.monotonic() < limit:
        with opened(urls) as books:
            heard = [books.number(service, HEARD_SO_FAR) for service in SERVICES]
            if not _moving(books) and heard == before:
                return
        before = heard
        time.sleep(LOOK_AGAIN_S)


def _moving(books: Books) -> bool:
    return any(books.number(service, query) for query, services in MOVING for service in services)
