"""What PostgreSQL was asked: statements by database, counted and timed by pg_stat_statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from portolan_cli.embedded.postgres import EmbeddedPostgres
from psycopg.rows import class_row

TEXT_CHARACTERS = 90
LIBRARY = "pg_stat_statements"


@dataclass(frozen=True)
class Statement:
    database: str
    text: str
    calls: int
    ms: float
    rows: int


def enable(home: Path) -> None:
    """Before the system starts in this home: the library is loaded with the server."""
    server = EmbeddedPostgres(home)
    with server, psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"alter system set shared_preload_libraries = '{LIBRARY}'")
        connection.execute(f"create extension if not exists {LIBRARY}")


def forget(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"select {LIBRARY}_reset()")


def spent(url: str) -> Sequence[Statement]:
    """Since they were forgotten, the dearest first."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=class_row(Statement)).execute(
            """
            select datname as database, regexp_replace(query, '\\s+', ' ', 'g') as text, calls,
                total_exec_time + total_plan_time as ms, rows
            from pg_stat_statements join pg_database on pg_database.oid = dbid
            where datname like 'portolan%'
            order by ms desc
            """
        )
        return cursor.fetchall()
