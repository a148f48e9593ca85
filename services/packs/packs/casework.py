"""What law and office order say about work on a case: what silence decides, who is told when it is late."""

from __future__ import annotations

from typing import Literal

from .value import Labels, Value

Channel = Literal["green", "orange", "red"]


class Tacit(Value, frozen=True, kw_only=True):
    """What the law takes silence for. Where two persons sign, or somebody must look, only if this says so."""

    outcome: str
    seconds: int
    calendar: Literal["working", "always"] = "working"
    basis: Labels = {}
    four_eyes: bool = False
    channels: tuple[Channel, ...] = ("green", "orange")
