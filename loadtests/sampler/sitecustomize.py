"""Put on a service's PYTHONPATH: SIGUSR1 begins to sample its stacks by CPU time, the next SIGUSR1 writes them down.

One line a stack, outermost frame first, with the number of samples: what flame graph tools read.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_S = 0.001
FRAMES_MAX = 80

_stacks: Counter[str] = Counter()
_is_sampling = False


def _named(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"


def _sample(_: int, frame: FrameType | None) -> None:
    names: list[str] = []
    while frame is not None and len(names) < FRAMES_MAX:
        names.append(_named(frame))
        frame = frame.f_back
    _stacks[";".join(reversed(names))] += 1


def _toggle(_: int, __: FrameType | None) -> None:
    global _is_sampling
    _is_sampling = not _is_sampling
    signal.setitimer(signal.ITIMER_PROF, EVERY_S if _is_sampling else 0, EVERY_S if _is_sampling else 0)
    if not _is_sampling:
        _write()


def _write() -> None:
    """Whole or not at all: whoever waits for the file may read it when it is there."""
    target = Path(os.environ["PORTOLAN_SAMPLES"], f"{os.getpid()}.stacks")
    draft = target.with_suffix(".draft")
    draft.write_text("".join(f"{stack} {count}\n" for stack, count in _stacks.most_common()))
    draft.rename(target)
    _stacks.clear()


if "PORTOLAN_SAMPLES" in os.environ and Path(sys.argv[0]).name != "launch.py":
    signal.signal(signal.SIGPROF, _sample)
    signal.signal(signal.SIGUSR1, _toggle)
