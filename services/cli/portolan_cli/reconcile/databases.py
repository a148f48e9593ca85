"""The services' databases, each read in one snapshot; what is long comes as a stream, in pages of its cursor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import tuple_row

from portolan_cli.desk import NotHere
from portolan_cli.embedded import run_file

SERVICES = ("identity", "intake", "routing", "billing", "notifications")
PAGE_ROWS = 2_000
CONNECT_S = 5
Row = tuple[Any, ...]


def urls(home: Path, given: Sequence[str]) -> Mapping[str, str]:
    """Of what runs here, or as given: `service=url`, all five."""
    if not given:
        return _running(home)
    found = dict(one.partition("=")[::2] for one in given)
    missing, unknown = set(SERVICES) - set(found), set(found) - set(SERVICES)
    if missing or unknown or not all(found.values()):
        raise NotHere(f"--database-url SERVICE=URL is wanted once for each of {', '.join(SERVICES)}")
    return found


def _running(home: Path) -> Mapping[str, str]:
    running = run_file.read(home)
    if running is None:
        raise NotHere(f"nothing runs in {home}: name the databases with --database-url SERVICE=URL")
    return {name: str(running["services"][name]["database_url"]) for name in SERVICES}


class Books:
    """All five, each as it was at one moment."""

    def __init__(self, connections: Mapping[str, psycopg.Connection[Row]]) -> None:
        self._connections = connections
        self._streams = 0

    def rows(self, service: str, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._connections[service].execute(query.encode(), parameters or None).fetchall()

    def number(self, service: str, query: str) -> int:
        return int(self.rows(service, query)[0][0])

    def stream(self, service: str, query: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        self._streams += 1
        with self._connections[service].cursor(f"stream_{self._streams}", row_factory=tuple_row) as cursor:
            cursor.itersize = PAGE_ROWS
            cursor.execute(query.encode(), parameters or None)
            yield from cursor


@contextmanager
def opened(urls: Mapping[str, str]) -> Iterator[Books]:
    with ExitStack() as stack:
        yield Books({name: stack.enter_context(_connect(name, url)) for name, url in urls.items()})


def _connect(name: str, url: str) -> psycopg.Connection[Row]:
    try:
        connection = psycopg.connect(url, connect_timeout=CONNECT_S)
    except psycopg.OperationalError as error:
        raise NotHere(f"the database of {name} does not answer") from error
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection
