"""How long a step takes, of a type, at an agency: what half of those decided lately took no longer than."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(days=90)
# Of fewer, nobody is told a median: it would say little, and tell of single documents.
SAMPLES_MIN = 5


@dataclass(frozen=True, slots=True)
class Duration:
    type: str
    step: str
    agency: str
    median_seconds: int | None
    samples: int
    computed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that waits to be decided, and how long such steps took."""

    agency: str
    step: str
    since: datetime
    due_at: datetime | None
    median_seconds: int | None
    samples: int

    @property
    def told_median(self) -> int | None:
        return self.median_seconds if self.samples >= SAMPLES_MIN else None
