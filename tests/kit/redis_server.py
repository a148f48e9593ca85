"""The stack's Redis, of the test's own: it may kill, pause and flush it, and ask it anything."""

from __future__ import annotations

import socket
from contextlib import suppress

from portolan_cli.embedded import ports
from portolan_cli.stack import redis

# What the machine itself may take beside, with all its cores busy.
SLACK_S = 0.8
# On such a machine, nothing is too slow but what a test made so.
PATIENT_MS = 5_000


class RedisServer(redis.RedisServer):
    def ask(self, command: str) -> bytes:
        """The first line of the answer; nothing when there is none."""
        with suppress(OSError), socket.create_connection((ports.LOOPBACK, self.port), timeout=1) as wire:
            wire.sendall(command.encode() + b"\r\n")
            return wire.recv(4096).split(b"\r\n")[0]
        return b""
