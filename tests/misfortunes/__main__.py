"""`python -m tests.misfortunes`: the run, its table, and latest.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from packs.reader import default_pack_path
from portolan_cli.client import Portolan

from tests.misfortunes import faults, report, scene, stack_faults
from tests.misfortunes.embedded import Embedded
from tests.misfortunes.faults import Fault
from tests.misfortunes.real_stack import RealStack
from tests.misfortunes.run import Outcome, Run
from tests.misfortunes.stack_faults import Poison

RATE, RATE_SHORT, RATE_OF_THREE = 100.0, 20.0, 20.0
SECONDS_MAX, SECONDS_SHORT_MAX, SECONDS_OF_THREE_MAX = 600.0, 240.0, 120.0
SEED = 7
LATEST = Path(__file__).with_name("latest.json")

Choose = Callable[[Path, Poison], Sequence[Fault]]


def main() -> int:
    asked = _arguments()
    # Whoever ends us must not leave a system behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    outcomes = list(_outcomes(asked))
    print(*(report.table(outcome) for outcome in outcomes), sep="\n\n")
    if asked.write:
        LATEST.write_text(json.dumps(report.content(outcomes, asked.profile), indent=2) + "\n")
    return 1 if any(outcome.findings or outcome.troubles for outcome in outcomes) else 0


def _outcomes(asked: argparse.Namespace) -> list[Outcome]:
    rate = asked.rate or (RATE_SHORT if asked.short else RATE)
    seconds = SECONDS_SHORT_MAX if asked.short else SECONDS_MAX
    if asked.profile == "embedded":
        return [embedded(rate, seconds, asked)]
    found = [stack(rate, seconds, asked)]
    if not asked.short and not asked.only:
        found.append(three_brokers(min(rate, RATE_OF_THREE), SECONDS_OF_THREE_MAX, asked))
    return found


def embedded(rate: float, seconds: float, asked: argparse.Namespace) -> Outcome:
    with _home() as folder:
        machine = Embedded(Path(folder))
        return _played(machine, lambda *_: faults.of_embedded(machine), rate, seconds, asked)


def stack(rate: float, seconds: float, asked: argparse.Namespace) -> Outcome:
    choose = stack_faults.shortened if asked.short else stack_faults.of_stack
    with _home() as folder:
        machine = RealStack(Path(folder))
        return _played(machine, lambda home, poison: choose(machine, poison, home), rate, seconds, asked)


def three_brokers(rate: float, seconds: float, asked: argparse.Namespace) -> Outcome:
    with _home() as folder:
        machine = RealStack(Path(folder), brokers=3)
        return _played(machine, lambda *_: stack_faults.of_three_brokers(machine), rate, seconds, asked)


def _home() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="portolan-misfortunes-", ignore_cleanup_errors=True)
    Path(folder.name).chmod(0o755)
    return folder


def _played(
    machine: Embedded | RealStack, choose: Choose, rate: float, seconds: float, asked: argparse.Namespace
) -> Outcome:
    """In the main thread: servers die with whoever starts them there."""
    poison = Poison()
    machine.start()
    try:
        with Portolan(machine.base_url) as portolan:
            set_up = scene.prepare(portolan, machine.home, default_pack_path(), asked.seed, int(rate * seconds))
        chosen = [one for one in choose(machine.home, poison) if not asked.only or asked.only in one.name]
        run = Run(machine, set_up, rate, machine.home / "history.jsonl", poison)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run.all(chosen))
    finally:
        machine.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.misfortunes", description=__doc__)
    parser.add_argument("--profile", default="stack", choices=("stack", "embedded"))
    parser.add_argument("--short", action="store_true", help="one fault of each sort, at a lower rate")
    parser.add_argument("--rate", type=float, default=0.0, help=f"documents a second; {RATE:.0f} where nothing is said")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--write", action="store_true", help="latest.json too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
