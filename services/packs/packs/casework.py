"""What law and office order say about work on a case: what silence decides, who is told when it is late."""

from __future__ import annotations

from decimal import Decimal
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


class Escalation(Value, frozen=True, kw_only=True):
    """A rung of the ladder: at a share of the term, or so many seconds of it after it is due; and who hears."""

    key: str
    at: Decimal | None = None
    after_seconds: int | None = None
    notify: tuple[Literal["agency", "supervisor", "owner", "operator"], ...]
    labels: Labels

    @property
    def percent(self) -> int:
        return 100 if self.at is None else int(self.at * 100)

    @property
    def is_before_due(self) -> bool:
        return self.percent < 100
