"""Redis from the system's package: a cache, so nothing of it is kept on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import redis

from portolan_cli.embedded import ports
from portolan_cli.stack import leftovers
from portolan_cli.stack.failures import ServerMissing
from portolan_cli.stack.process import Process

PROGRAM = "redis-server"
PING_S = 1.0
MEMORY_MAX = "128mb"


def program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise ServerMissing(f"{PROGRAM} is not on PATH: install the system's package (apt-get install redis-server)")
    return found


class RedisServer(Process):
    def __init__(self, folder: Path, port: int, mark: str) -> None:
        super().__init__("redis", folder / "log" / "redis.log")
        self.port = port
        self._folder = folder / "redis"
        self._mark = mark

    @property
    def url(self) -> str:
        return f"redis://{ports.LOOPBACK}:{self.port}/0"

    @property
    def folder(self) -> Path:
        return self._folder

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        settings = {"bind": ports.LOOPBACK, "port": str(self.port), "dir": str(self._folder), "daemonize": "no"}
        settings |= {"save": "", "appendonly": "no", "maxmemory": MEMORY_MAX, "maxmemory-policy": "allkeys-lru"}
        # A changed title would be written over the environment, by which leftovers are known.
        settings |= {"set-proc-title": "no"}
        return [program(), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), leftovers.MARK: self._mark}

    def is_ready(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def flush(self) -> None:
        """Everything it remembers."""
        with self.client() as client:
            client.flushall()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=PING_S, socket_connect_timeout=PING_S)
