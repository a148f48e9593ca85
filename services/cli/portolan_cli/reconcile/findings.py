"""What was looked at, and what was wrong with it: all is counted, the first of each kind are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# More of one kind are counted, not listed.
NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the id of what is wrong."""

    check: str
    subject: str
    what: str


@dataclass
class Check:
    looked_at: int = 0
    wrong: int = 0
    named: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    checks: dict[str, Check] = field(default_factory=dict)

    def begin(self, check: str) -> Check:
        return self.checks.setdefault(check, Check())

    def look(self, check: str, number: int = 1) -> None:
        self.begin(check).looked_at += number

    def find(self, check: str, subject: str, what: str) -> None:
        found = self.begin(check)
        found.wrong += 1
        if len(found.named) < NAMED_MAX:
            found.named.append(Finding(check, subject, what))

    @property
    def is_clean(self) -> bool:
        return not any(check.wrong for check in self.checks.values())

    @property
    def named(self) -> list[Finding]:
        return [finding for check in self.checks.values() for finding in check.named]

    def plain(self) -> Mapping[str, object]:
        return {
            "agrees": self.is_clean,
            "checks": {
                name: {
                    "looked_at": check.looked_at,
                    "wrong": check.wrong,
                    "named": [{"id": one.subject, "what": one.what} for one in check.named],
                }
                for name, check in self.checks.items()
            },
        }
