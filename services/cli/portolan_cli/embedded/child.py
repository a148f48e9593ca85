"""Starts a process that belongs to this one: its own session, its log, an identity, and death with the parent."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Identity:
    """manner: `same` (as we are), `user` (become that user), `namespace` (be called that, keep our access)."""

    manner: str = "same"
    uid: int = 0
    gid: int = 0


SAME = Identity()


def command_line(command: Sequence[str], identity: Identity, death_signal: int) -> list[str]:
    # The kernel sends the signal when the *thread* that forked ends: only the main thread lives as long as the process.
    signal_number = death_signal if threading.current_thread() is threading.main_thread() else 0
    fate = [str(os.getpid()), str(signal_number)]
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [*launcher, identity.manner, str(identity.uid), str(identity.gid), *fate, *command]


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    death_signal: int,
    identity: Identity = SAME,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    line = command_line(command, identity, death_signal)
    with open_log(log) as output:
        return subprocess.Popen(  # noqa: S603 - the command is ours
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env, start_new_session=True
        )


def open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def run(command: Sequence[str], *, identity: Identity, cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    line = command_line(command, identity, 0)
    return subprocess.run(  # noqa: S603 - the command is ours
        line, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, timeout=timeout_s, check=False
    )
