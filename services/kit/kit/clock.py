"""The one place that asks what time it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_told: Callable[[], datetime] | None = None


def now() -> datetime:
    return datetime.now(UTC) if _told is None else _told()


@contextmanager
def told_by(source: Callable[[], datetime]) -> Iterator[None]:
    """This process lives in another time: for a demonstration's past, which is lived through as any present is."""
    global _told
    before, _told = _told, source
    try:
        yield
    finally:
        _told = before
