"""Why a case came to its rules, score and channel, and the proof: the same facts judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from packs.decisions import DecisionTable, Draw, Factor, Plan
from packs.history import UNKNOWN, History

Facts = Mapping[str, Any]
Explanation = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """What the tables said of a document, and everything they said it by."""

    rules: tuple[str, ...]
    channel: str
    facts: Facts
    explanation: Explanation
    at: datetime

    @property
    def table_version(self) -> str:
        return str(self.explanation.get("table_version") or "")

    @property
    def channel_rule(self) -> str:
        return (self.explanation.get("lane") or {}).get("rule") or ""

    @property
    def factors(self) -> list[Factor]:
        return msgspec.convert(self.explanation.get("factors") or [], list[Factor])

    @property
    def draws(self) -> list[Draw]:
        return msgspec.convert(self.explanation.get("draws") or [], list[Draw])

    @property
    def history(self) -> History:
        """Cases opened before history was kept were judged without."""
        return msgspec.convert(self.explanation.get("history") or {}, History)

    def is_reproduced(self, table: DecisionTable) -> bool:
        """Whether this table, asked again about the same, says the same: rules, factors, channel, draws, four eyes."""
        plan = table.plan(self.facts, self.history)
        again = explained(plan, table, self.facts, self.history, with_visits="visits" in self.explanation)
        kept = {**again, **self.explanation}
        same_way = (tuple(rule.id for rule in plan.rules), plan.lane.channel) == (self.rules, self.channel)
        return same_way and _written(again) == _written(kept)


def explained(
    plan: Plan, table: DecisionTable, facts: Facts, history: History = UNKNOWN, *, with_visits: bool = False
) -> Explanation:
    """To be kept with the case: what was weighed, and what beside the facts it was weighed by."""
    weighed = {"factors": plan.factors, "lane": plan.lane, "draws": plan.draws, "four_eyes": plan.four_eyes}
    if with_visits:
        weighed["visits"] = table.visits(plan, facts)
    told: Explanation = msgspec.to_builtins({**weighed, "history": history, "score": plan.score}, str_keys=True)
    return {"table_version": table.version, **told}


def _written(explanation: Explanation) -> bytes:
    return msgspec.json.encode(explanation, order="deterministic")
