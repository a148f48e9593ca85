"""A real Redis of the test's own, on a free port, which it may kill, stop, flush and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from portolan_cli.stack.redis import program

from tests.servers import require

START_S_MAX = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RedisServer:
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """With nothing in it: it keeps nothing on disk."""
        command = [find(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        while self.ask("PING") != b"+PONG":
            assert time.monotonic() - began < START_S_MAX, "redis-server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()
        self.process = None

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, command: str) -> bytes:
        """The first line of the answer; nothing when there is none."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
            wire.sendall(command.encode() + b"\r\n")
            return wire.recv(4096).split(b"\r\n")[0]
        return b""

    def stop(self) -> None:
        if self.process is not None:
            self.thaw()
            self.kill()


def find() -> str:
    require("redis")
    return program()
