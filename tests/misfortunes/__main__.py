"""`python -m tests.misfortunes`: the run, its table, and latest.json."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.misfortunes import plays, report
from tests.misfortunes.plays import Wish
from tests.misfortunes.run import Outcome

LATEST = Path(__file__).with_name("latest.json")


def main() -> int:
    asked = _arguments()
    # Whoever ends us must not leave a system behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    outcomes = _outcomes(asked)
    print("", *(report.table(outcome) for outcome in outcomes), sep="\n\n")
    if asked.write:
        LATEST.write_text(json.dumps(report.content(outcomes, asked.profile), indent=2) + "\n")
    return 1 if any(outcome.findings or outcome.troubles for outcome in outcomes) else 0


def _outcomes(asked: argparse.Namespace) -> list[Outcome]:
    wish = Wish(asked.rate, asked.seed, asked.only)
    if asked.profile == "embedded":
        return [plays.embedded(wish)]
    if asked.brokers == 3:
        return [plays.three_brokers(wish)]
    if asked.short:
        return [plays.shortened(wish)]
    return [plays.stack(wish), *([] if asked.only else [plays.three_brokers(wish)])]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.misfortunes", description=__doc__)
    parser.add_argument("--profile", default="stack", choices=("stack", "embedded"))
    parser.add_argument("--short", action="store_true", help="one fault of each sort, at a lower rate")
    parser.add_argument("--brokers", type=int, default=1, choices=(1, 3), help="3: the loss of one of them, no more")
    parser.add_argument("--rate", type=float, default=0.0, help=f"documents a second, {plays.RATE:.0f} if not said")
    parser.add_argument("--seed", type=int, default=plays.SEED)
    parser.add_argument("--only", default="", help="faults whose name matches this")
    parser.add_argument("--write", action="store_true", help="latest.json too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
