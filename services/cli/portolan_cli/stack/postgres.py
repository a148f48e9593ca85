"""The database server of the stack: the wheel's, started here, or whatever DATABASE_URL names."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import conninfo, sql

from portolan_cli.embedded import leftovers
from portolan_cli.embedded.postgres import CONNECT_S, EmbeddedPostgres
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.process import LEAVE_S_MAX, Departure, unnoticed

DATABASE_URL_VARIABLE = "DATABASE_URL"
# Three processes for each service, each with its own connections.
SETTINGS = {"max_connections": "300"}
GONE_S_MAX = 10.0


class Databases(Protocol):
    def createdb(self, name: str) -> str: ...
    def url(self) -> str: ...


class PostgresServer:
    """The wheel's, which may be killed and paused as a whole: the postmaster and all its children."""

    name = "postgres"

    def __init__(self, folder: Path, port: int) -> None:
        self._server = EmbeddedPostgres(folder, settings=SETTINGS)
        self._server.port = port
        self.changed: Callable[[], None] = unnoticed

    @property
    def log(self) -> Path:
        return self._server.log

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def pid(self) -> int | None:
        return self._server.pid

    @property
    def pids(self) -> list[int]:
        return leftovers.working_in(self._server.data) if self._server.data.exists() else []

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    def start(self) -> None:
        self._server.start()
        self.changed()

    def launch(self) -> None:
        self.start()

    def stop(self) -> None:
        if self.is_running:
            self.resume()
        self._server.stop()

    def createdb(self, name: str) -> str:
        return self._server.createdb(name)

    def url(self) -> str:
        return self._server.url()

    def kill9(self) -> None:
        self._tell(signal.SIGKILL)
        limit = time.monotonic() + GONE_S_MAX
        while self.is_running or self.pids:
            if time.monotonic() > limit:
                raise StackFailed(f"PostgreSQL did not end: {self.pids}")
            self._tell(signal.SIGKILL)
            time.sleep(leftovers.POLL_S)

    def pause(self) -> None:
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        self._tell(signal.SIGCONT)

    def terminate(self, patience_s: float = LEAVE_S_MAX) -> Departure:
        """A fast stop: sessions are ended, a checkpoint is written."""
        del patience_s
        began = time.monotonic()
        exit_code = self._server.stop()
        return Departure(exit_code, time.monotonic() - began)

    def restart(self) -> Departure:
        departure = self.terminate()
        self.start()
        return departure

    def _tell(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class ForeignPostgres:
    """Somebody else's server: databases are made there, and nothing else is done to it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self) -> str:
        return self._url

    def createdb(self, name: str) -> str:
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_S) as connection:
                known = connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
                if known is None:
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.OperationalError as error:
            raise StackFailed(f"{DATABASE_URL_VARIABLE}: {error}") from error
        return at(self._url, name)


def at(url: str, database: str) -> str:
    """The same server's other database: a URL stays a URL."""
    if "://" in url:
        return urlsplit(url)._replace(path=f"/{quote(database, safe='')}").geturl()
    return conninfo.make_conninfo(url, dbname=database)
