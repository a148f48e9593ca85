"""Event by event: what was published and is heard by a service, against what that service remembers of having heard."""

from __future__ import annotations

from collections.abc import Iterator

from portolan_cli.reconcile.databases import SERVICES, Books, Row
from portolan_cli.reconcile.findings import Report
from portolan_cli.reconcile.merge import by_id

HEARD = "heard by all"
HEARING = "select consumer, type, since from hearing order by consumer, type"
# Only since when a type is heard at all: what was said before a release that hears it was passed over.
SAID = """
    select event_id::text, type
    from outbox join unnest(%s::text[], %s::timestamptz[]) as heard (type, since) using (type)
    where published_at is not null and created_at >= since
    order by event_id
"""
REMEMBERED = "select event_id::text from inbox where consumer = %s order by event_id"


def examine(books: Books, report: Report) -> None:
    report.begin(HEARD)
    for service in SERVICES:
        heard: dict[str, list[Row]] = {}
        for consumer, kind, since in books.rows(service, HEARING):
            heard.setdefault(str(consumer), []).append((kind, since))
        for consumer, kinds in heard.items():
            _examine_consumer(books, report, service, consumer, kinds)


def _examine_consumer(books: Books, report: Report, service: str, consumer: str, kinds: list[Row]) -> None:
    parameters = [[kind for kind, _ in kinds], [since for _, since in kinds]]
    streams: dict[str, Iterator[Row]] = {name: books.stream(name, SAID, parameters) for name in SERVICES}
    streams["inbox"] = books.stream(service, REMEMBERED, [consumer])
    for event_id, side in by_id(streams):
        said = [(name, rows[0][1]) for name, rows in side.items() if rows and name != "inbox"]
        report.look(HEARD, len(said))
        if said and not side["inbox"]:
            report.find(HEARD, event_id, f"{consumer} has not heard {said[0][1]} of {said[0][0]}")
