"""A process of the stack in the hands of whoever started it: started, killed, paused, asked to leave."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from portolan_cli.embedded import child
from portolan_cli.stack.failures import StackFailed, log_tail

READY_POLL_S = 0.05
LEAVE_S_MAX = 30.0


@dataclass(frozen=True)
class Departure:
    """How a process left that was asked to."""

    exit_code: int
    seconds: float


class Managed(Protocol):
    """What servers and service processes have in common."""

    changed: Callable[[], None]

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def is_running(self) -> bool: ...
    @property
    def pids(self) -> list[int]: ...
    def start(self) -> None: ...
    def kill9(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def terminate(self) -> Departure: ...


def unnoticed() -> None:
    """Nobody keeps book of process ids."""


class Process(ABC):
    """`start` returns when it is ready; from the main thread it dies with this process, else leftovers find it.

    `changed` is called when it has another process id.
    """

    ready_s_max = 120.0

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.changed: Callable[[], None] = unnoticed
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def environment(self) -> Mapping[str, str]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    @abstractmethod
    def prepare(self) -> None:
        """What must be there before each start."""

    @property
    def folder(self) -> Path | None:
        """Where it works; None: where we do."""
        return None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None and self.is_running else []

    @property
    def is_running(self) -> bool:
        """Also while paused."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Without waiting."""
        if self.is_running:
            return
        self.prepare()
        self._process = child.spawn(
            self.command(), log=self.log, death_signal=signal.SIGKILL, cwd=self.folder, env=self.environment()
        )
        self.changed()

    def wait_ready(self) -> None:
        limit = time.monotonic() + self.ready_s_max
        while not self.is_ready():
            if not self.is_running:
                raise StackFailed(f"{self.name} ended before it was ready; the end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > limit:
                raise StackFailed(f"{self.name} is not ready after {self.ready_s_max:.0f} s:\n{self.log_tail()}")
            time.sleep(READY_POLL_S)

    def restart(self) -> Departure:
        departure = self.terminate()
        self.start()
        return departure

    def kill9(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        self._tell(signal.SIGCONT)

    def terminate(self, patience_s: float = LEAVE_S_MAX) -> Departure:
        """SIGTERM, and SIGKILL (exit code -9) for what does not leave within patience_s."""
        began = time.monotonic()
        if self._process is None:
            raise StackFailed(f"{self.name} was never started")
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        self.kill9()
        return Departure(self._process.returncode, time.monotonic() - began)

    def ask_to_leave(self) -> None:
        """SIGTERM without waiting; a paused one goes on first."""
        if self._process is not None and self.is_running:
            self.resume()
            self._process.terminate()

    def stop(self) -> None:
        """As `terminate`, and nothing when it does not run."""
        if self.is_running:
            self.ask_to_leave()
            self.terminate()

    def log_tail(self) -> str:
        return log_tail(self.log)

    def _tell(self, number: signal.Signals) -> None:
        if not self.is_running or self.pid is None:
            raise StackFailed(f"{self.name} does not run")
        os.kill(self.pid, number)
