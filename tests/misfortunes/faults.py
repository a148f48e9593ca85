"""What befalls the system, one after another. Each knows how to strike and how to mend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.misfortunes.embedded import Embedded

PAUSE_S = 30.0
LEAVE_S_MAX = 12.0


class NotPossible(Exception):
    """This machine or profile does not permit it."""


class Wrong(Exception):
    """The system did not bear it: said in the table."""


@dataclass(frozen=True)
class Fault:
    """`strike` returns when the damage is mended, or the cause of it is over."""

    name: str
    strike: Callable[[], None]


def of_embedded(machine: Embedded, pause_s: float = PAUSE_S) -> list[Fault]:
    """What can befall one process a service on one PostgreSQL."""
    killed = [_killed(machine, name) for name in machine.processes()]
    left = [_left(machine, name) for name in machine.processes()]
    return [*killed, _killed(machine, "postgres"), _paused(machine, "routing", pause_s), *left]


def _killed(machine: Embedded, process: str) -> Fault:
    return Fault(f"kill -9 {process}", lambda: machine.kill9(process))


def _paused(machine: Embedded, process: str, pause_s: float) -> Fault:
    def strike() -> None:
        machine.pause(process)
        time.sleep(pause_s)
        machine.resume(process)

    return Fault(f"SIGSTOP {process} {pause_s:.0f} s", strike)


def _left(machine: Embedded, process: str) -> Fault:
    def strike() -> None:
        took = machine.terminate(process)
        if took > LEAVE_S_MAX:
            raise Wrong(f"{process} took {took:.1f} s to leave, {LEAVE_S_MAX} are allowed")

    return Fault(f"SIGTERM {process}", strike)
