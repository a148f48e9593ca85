"""`python -m tests.misfortunes`: the run, its table, and latest.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import uvloop
from packs.reader import default_pack_path
from portolan_cli.client import Portolan

from tests.misfortunes import faults, report, scene
from tests.misfortunes.embedded import Embedded
from tests.misfortunes.run import Outcome, Run

RATE = 100.0
SECONDS_MAX = 420.0
SEED = 7
LATEST = Path(__file__).with_name("latest.json")


def main() -> int:
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="portolan-misfortunes-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        outcome = _run(home, asked)
    content = report.content(outcome, asked.profile, asked.rate)
    print(report.table(outcome))
    if asked.write:
        LATEST.write_text(json.dumps(content, indent=2) + "\n")
    return 1 if outcome.findings else 0


def _run(home: Path, asked: argparse.Namespace) -> Outcome:
    machine = Embedded(home)
    machine.start()
    try:
        with Portolan(machine.base_url) as portolan:
            documents = int(asked.rate * asked.seconds)
            set_up = scene.prepare(portolan, home, default_pack_path(), asked.seed, documents)
        chosen = [one for one in faults.of_embedded(machine) if not asked.only or asked.only in one.name]
        run = Run(machine, set_up, asked.rate, home / "history.jsonl")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run.all(chosen))
    finally:
        machine.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.misfortunes", description=__doc__)
    parser.add_argument("--profile", default="embedded", choices=("embedded",))
    parser.add_argument("--rate", type=float, default=RATE, help="documents a second")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="documents are made for that long")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--write", action="store_true", help="latest.json too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
