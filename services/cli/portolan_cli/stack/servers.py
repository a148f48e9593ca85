"""All servers of the stack on one folder: started together, found again by a file, gone with whoever started them."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Any

from portolan_cli.embedded import secret_file
from portolan_cli.stack import jars, kafka, leftovers
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.kafka import Broker, KafkaCluster
from portolan_cli.stack.kept_ports import KeptPorts
from portolan_cli.stack.postgres import DATABASE_URL_VARIABLE, Databases, ForeignPostgres, PostgresServer
from portolan_cli.stack.process import Process, unnoticed
from portolan_cli.stack.redis import RedisServer, program
from portolan_cli.stack.servers_file import FILE, Addresses

ROLE = "servers"


class Servers:
    """Start and stop it in the main thread: then the servers die with this process, however it ends."""

    def __init__(self, folder: Path, *, brokers: int = 1, kafka_data: Path | None = None) -> None:
        self.folder = folder.resolve()
        self._mark = leftovers.mark(self.folder, ROLE)
        self.ready_s = 0.0
        self._lock: IO[str] | None = None
        kept = KeptPorts(self.folder, ROLE)
        foreign = os.environ.get(DATABASE_URL_VARIABLE, "")
        self.foreign = ForeignPostgres(foreign) if foreign else None
        self.own_postgres = None if foreign else PostgresServer(self.folder, kept.port("postgres"))
        self.redis = RedisServer(self.folder, kept.port("redis"), self._mark)
        self.kafka = KafkaCluster(self.folder, brokers, kept.port, self._mark, kafka_data)

    @property
    def postgres(self) -> PostgresServer:
        if self.own_postgres is None:
            raise StackFailed(f"the server at {DATABASE_URL_VARIABLE} is not ours to stop")
        return self.own_postgres

    @property
    def databases(self) -> Databases:
        return self.foreign or self.postgres

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.kafka.bootstrap, self.redis.url, self.databases.url())

    @property
    def all(self) -> list[PostgresServer | Process]:
        """In the order of dependence."""
        return [*([self.own_postgres] if self.own_postgres else []), self.redis, *self.kafka.brokers]

    def broker(self, number: int) -> Broker:
        return self.kafka.broker(number)

    def start(self) -> None:
        began = time.monotonic()
        program()
        jars.fetch()
        kafka.archive_classes()
        self._take_lock()
        try:
            leftovers.end(self._mark)
            self.kafka.launch()
            self.redis.launch()
            if self.own_postgres is not None:
                self.own_postgres.start()
            self.redis.wait_ready()
            self.kafka.wait_ready()
            self.ready_s = time.monotonic() - began
            self._keep_book()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for server in self.all:
            server.changed = unnoticed
        self.kafka.stop()
        self.redis.stop()
        if self.own_postgres is not None:
            self.own_postgres.stop()
        if self._lock is not None:
            (self.folder / FILE).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def revive(self) -> list[str]:
        """Starts again what ended by itself, without waiting for Kafka and Redis; answers the names."""
        ended = [server for server in self.all if not server.is_running]
        for server in ended:
            server.launch()
        return [server.name for server in ended]

    def note(self) -> None:
        """The process ids of now, for whoever looks for these servers."""
        secret_file.write_json(self.folder / FILE, self.described())

    def _keep_book(self) -> None:
        for server in self.all:
            server.changed = self.note
        self.note()

    def described(self) -> dict[str, Any]:
        parts: dict[str, Any] = {server.name: {"pid": server.pid, "log": str(server.log)} for server in self.all}
        return {
            "launcher": {"pid": os.getpid()},
            "ready_s": round(self.ready_s, 2),
            "bootstrap": self.kafka.bootstrap,
            "redis_url": self.redis.url,
            "postgres_url": self.databases.url(),
            "servers": parts,
        }

    def __enter__(self) -> Servers:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take_lock(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "servers.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise StackFailed(f"the servers of {self.folder} are run by another process") from error
        self._lock = lock
