"""A whole run on a machine of its own: started, befallen, counted, gone."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from packs.reader import default_pack_path
from portolan_cli.client import Portolan

from tests.misfortunes import faults, scene, stack_faults
from tests.misfortunes.embedded import Embedded
from tests.misfortunes.faults import Fault
from tests.misfortunes.real_stack import RealStack
from tests.misfortunes.run import Outcome, Run, Say
from tests.misfortunes.stack_faults import Poison

RATE, RATE_SHORT, RATE_OF_THREE = 100.0, 20.0, 20.0
DISTINCT_SHORT = 4_000
SEED = 7

Choose = Callable[[Path, Poison], Sequence[Fault]]


@dataclass(frozen=True)
class Wish:
    """`only`: faults whose name matches; `rate` 0 is the usual one."""

    rate: float = 0.0
    seed: int = SEED
    only: str = ""
    say: Say = print


def embedded(wish: Wish) -> Outcome:
    with _home() as folder:
        machine = Embedded(Path(folder))
        return _played(machine, lambda *_: faults.of_embedded(machine), wish.rate or RATE_SHORT, wish)


def stack(wish: Wish) -> Outcome:
    with _home() as folder:
        machine = RealStack(Path(folder))
        return _played(
            machine, lambda home, poison: stack_faults.of_stack(machine, poison, home), wish.rate or RATE, wish
        )


def shortened(wish: Wish) -> Outcome:
    with _home() as folder:
        machine = RealStack(Path(folder))
        choose = lambda home, poison: stack_faults.shortened(machine, poison, home)  # noqa: E731
        return _played(machine, choose, wish.rate or RATE_SHORT, wish)


def three_brokers(wish: Wish) -> Outcome:
    with _home() as folder:
        machine = RealStack(Path(folder), brokers=3)
        return _played(machine, lambda *_: stack_faults.of_three_brokers(machine), RATE_OF_THREE, wish)


def _home() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="portolan-misfortunes-", ignore_cleanup_errors=True)
    Path(folder.name).chmod(0o755)
    return folder


def _played(machine: Embedded | RealStack, choose: Choose, rate: float, wish: Wish) -> Outcome:
    """In the main thread: servers die with whoever starts them there."""
    poison = Poison()
    machine.start()
    try:
        distinct = scene.DISTINCT_MAX if rate > RATE_SHORT else DISTINCT_SHORT
        with Portolan(machine.base_url) as portolan:
            set_up = scene.prepare(portolan, machine.home, default_pack_path(), wish.seed, distinct)
        chosen = [one for one in choose(machine.home, poison) if re.search(wish.only, one.name)]
        run = Run(machine, set_up, rate, machine.home / "history.jsonl", poison, wish.say)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run.all(chosen))
    finally:
        machine.stop()
