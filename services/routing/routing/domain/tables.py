"""Rule tables: proposed by one person, replayed, published by another, never changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from kit.errors import Refused
from packs.model import Rule

# Whoever judges hears of a table before anybody judges by it.
LEAD = timedelta(seconds=10)


class TableState(StrEnum):
    PROPOSED = "PROPOSED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class RuleTable:
    """`based_on` is the table that was last published when it was proposed; empty for the pack's own."""

    id: str
    pack_version: str
    based_on: str
    rules: tuple[Rule, ...]
    effective_from: datetime | None
    note: str
    proposed_by: str
    proposed_at: datetime
    warnings: tuple[dict[str, str], ...] = ()
    state: TableState = TableState.PROPOSED
    replay: dict[str, Any] | None = None
    published_by: str = ""
    published_at: datetime | None = None
    in_force_from: datetime | None = None
    sequence: int = 0
    withdrawn_by: str = ""
    changes: dict[str, list[str]] = field(default_factory=dict)

    def must_be_open(self) -> None:
        if self.state is not TableState.PROPOSED:
            raise Refused("INVALID_TRANSITION", f"the table is {self.state.lower()}", facts={"state": self.state})

    def publish(self, person: str, latest: Latest, now: datetime) -> RuleTable:
        """In force when it was proposed for, or as soon as everybody has heard. The same person again: the same."""
        if self.state is TableState.PUBLISHED and self.published_by == person:
            return self
        self.must_be_open()
        if person == self.proposed_by:
            raise Refused("FOUR_EYES", "another person than the proposer must publish")
        if self.replay is None:
            raise Refused("REPLAY_FIRST", "nobody has seen yet what this table would change")
        if (self.pack_version, self.based_on) != (latest.pack_version, latest.table):
            moved = {"latest": latest.table, "pack_version": latest.pack_version}
            raise Refused("RULES_MOVED_ON", "other rules were published since this was proposed", facts=moved)
        return replace(
            self,
            state=TableState.PUBLISHED,
            published_by=person,
            published_at=now,
            in_force_from=max(now + LEAD, self.effective_from or now),
            sequence=latest.sequence + 1,
        )

    def withdraw(self, person: str) -> RuleTable:
        if self.state is TableState.WITHDRAWN:
            return self
        self.must_be_open()
        return replace(self, state=TableState.WITHDRAWN, withdrawn_by=person)


@dataclass(frozen=True)
class Latest:
    """The pack version in force, the table last published for it (empty: the pack's own), and how many there are."""

    pack_version: str
    table: str = ""
    sequence: int = 0
    in_force_from: datetime | None = None


def differences(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> dict[str, list[str]]:
    old, new = {rule.id: rule for rule in before}, {rule.id: rule for rule in after}
    return {
        "added": [rule_id for rule_id in new if rule_id not in old],
        "changed": [rule_id for rule_id in new if rule_id in old and new[rule_id] != old[rule_id]],
        "removed": [rule_id for rule_id in old if rule_id not in new],
    }
