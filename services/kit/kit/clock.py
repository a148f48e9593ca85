"""The one place that asks what time it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

# How long a process may not yet know that the file was moved on.
LOOK_S = 0.02
AHEAD_S_MAX = 100 * 366 * 86_400.0
# Further apart than this is no clock that runs wrong.
APART_S_MAX = 900.0

_told: Callable[[], datetime] | None = None
_ahead = timedelta()
_mover: Mover | None = None
_apart_s = 0.0


class Mover:
    """How far a demonstration has been moved on: seconds, in a file that all its processes read. Never back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looked_at = float("-inf")
        self._ahead = timedelta()

    def ahead(self) -> timedelta:
        moment = time.monotonic()
        if moment - self._looked_at >= LOOK_S:
            self._looked_at = moment
            self._ahead = max(self._ahead, timedelta(seconds=read_ahead_s(self._file)))
        return self._ahead


def now() -> datetime:
    return datetime.now(UTC) + ahead() if _told is None else _told()


def epoch_s() -> float:
    return now().timestamp()


def issuer_s() -> float:
    """The time where tokens are made: one machine's wrong clock must not make good tokens old."""
    return epoch_s() + _apart_s


def agree_with_issuer(issuer_now: datetime) -> None:
    """What the issuer just said its clock shows. More than APART_S_MAX apart is not believed."""
    global _apart_s
    apart_s = (issuer_now - now()).total_seconds()
    if abs(apart_s) <= APART_S_MAX:
        _apart_s = apart_s


def ahead() -> timedelta:
    """By how much this process is ahead of its machine: what the environment says and what the file says."""
    return _ahead if _mover is None else _ahead + _mover.ahead()


def set_ahead(seconds: float, file: Path | None = None) -> None:
    """From now on, for this whole process. Raises ValueError for what no clock can be ahead by."""
    global _ahead, _mover, _apart_s
    _apart_s = 0.0
    _ahead, _mover = timedelta(seconds=_possible(seconds)), Mover(file) if file is not None else None


@contextmanager
def told_by(source: Callable[[], datetime]) -> Iterator[None]:
    """This process lives in another time: for a demonstration's past, which is lived through as any present is."""
    global _told
    before, _told = _told, source
    try:
        yield
    finally:
        _told = before


def read_ahead_s(file: Path) -> float:
    """0 when nobody has moved it, or has written something else there."""
    try:
        return max(0.0, _possible(float(file.read_text(encoding="ascii"))))
    except (OSError, ValueError):
        return 0.0


def move_on(file: Path, by: timedelta) -> None:
    """Returns when every process that follows the file lives that much later. For one caller at a time."""
    if by < timedelta():
        raise ValueError("a clock is moved on, never back")
    seconds = _possible(read_ahead_s(file) + by.total_seconds())
    beside = file.with_suffix(".tmp")
    with beside.open("w", encoding="ascii") as written:
        written.write(f"{seconds}\n")
        written.flush()
        os.fsync(written.fileno())
    beside.replace(file)
    time.sleep(2 * LOOK_S)


def _possible(seconds: float) -> float:
    if not abs(seconds) <= AHEAD_S_MAX:
        raise ValueError(f"{seconds} s is more than a clock can be ahead by")
    return seconds
