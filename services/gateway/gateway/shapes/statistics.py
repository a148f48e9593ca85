"""Public figures, described."""

from __future__ import annotations

import msgspec

from gateway.shapes.common import Moment


class Duration(msgspec.Struct, kw_only=True):
    """From a task's opening to its decision, by the clock on the wall; of at least five decisions."""

    type: str
    step: str
    agency: str
    median_seconds_90d: int
    decided_90d: int
    computed_at: Moment
