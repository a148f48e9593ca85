"""Processes that outlived the launcher which started them, known by a mark in their environment."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from portolan_cli.embedded import leftovers, run_file

MARK = "PORTOLAN_STACK"
GONE_S_MAX = 10.0
POLL_S = 0.02


def mark(folder: Path, role: str) -> str:
    """role: what the launcher is there for, since servers and services may have one each on the same folder."""
    return f"{role}:{folder.resolve()}"


def bearing(value: str) -> list[int]:
    wanted = f"{MARK}={value}".encode()
    return [pid for pid in leftovers.processes() if pid != os.getpid() and wanted in environment(pid)]


def environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end(value: str) -> list[int]:
    """kill -9, which everything here survives; answers whom it found."""
    found = bearing(value)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    limit = time.monotonic() + GONE_S_MAX
    while any(map(run_file.is_alive, found)):
        if time.monotonic() > limit:
            raise TimeoutError(f"processes {found} do not end")
        time.sleep(POLL_S)
    return found
