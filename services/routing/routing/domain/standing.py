"""Who stands in for whom: an absence names a delegate, who acts in that place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kit.errors import Invalid, Violation

ABSENCE_DAYS_MAX = 400


@dataclass(frozen=True)
class Absence:
    """While it lasts the delegate, of the same agency, acts in the person's place where the own role allows."""

    id: str
    agency: str
    person: str
    delegate: str
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None

    def is_in_force(self, now: datetime) -> bool:
        return self.ended_at is None and self.starts_at <= now < self.ends_at

    def must_make_sense(self, now: datetime) -> None:
        """Raises Invalid."""
        if self.person == self.delegate:
            _refuse("/delegate", "SELF", "nobody stands in for themselves")
        if not self.starts_at < self.ends_at or self.ends_at <= now:
            _refuse("/to", "OUT_OF_RANGE", "an absence ends after it begins, and not in the past")
        if self.ends_at - self.starts_at > timedelta(days=ABSENCE_DAYS_MAX):
            _refuse("/to", "OUT_OF_RANGE", f"at most {ABSENCE_DAYS_MAX} days")


def _refuse(pointer: str, code: str, message: str) -> None:
    raise Invalid("INVALID_REQUEST", message, violations=[Violation(pointer, code, message)])
