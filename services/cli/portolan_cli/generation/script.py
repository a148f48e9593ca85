"""What people will do with one document: drawn beforehand, so that a model can say where it must end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portolan_cli.generation.chance import Chance
from portolan_cli.generation.mix import Mix

LEAST_LIKELY = 1.0


@dataclass(frozen=True)
class Answer:
    """An officer's. `reduced_to`: a share of what was asked; `disputed`: what a colleague says first."""

    outcome: str
    reason_code: str = ""
    reduced_to: float = 0.0
    disputed: str = ""


@dataclass(frozen=True)
class Imputing:
    """`parts` are shares of each line; `too_much` is tried first, `given_back` names a part to cancel at the end."""

    parts: tuple[float, ...]
    too_much: bool
    given_back: int
    declared: bool = False


@dataclass(frozen=True)
class Settling:
    """`share` of what is imputed; nothing where it is 0."""

    share: float
    too_much: bool


@dataclass(frozen=True)
class Script:
    """`ends`: 'cancel', 'withdraw' or nothing, when `ends_after` of the steps are decided."""

    chance: Chance
    mix: Mix
    reasons: Mapping[str, Sequence[str]]
    duplicate: bool
    asks: bool
    lapses: bool
    declines: bool
    ends: str
    ends_after: int
    expires: bool
    amends: str
    imputing: Imputing
    settling: Settling

    def answer(
        self, step: Mapping[str, Any], agency: str, entry: int = 1, exhausted: frozenset[str] = frozenset()
    ) -> Answer:
        """Of one agency in one step, the `entry`th time it comes there; nobody sends it where it may come no more."""
        drawn = self.chance.of("answer", step["key"], agency, *([entry] if entry > 1 else []))
        told: Mapping[str, Mapping[str, Any]] = step["outcomes"]
        outcomes = {
            name: one
            for name, one in told.items()
            if one.get("by", "officer") == "officer" and str(one["then"]).removeprefix("step:") not in exhausted
        }
        weights = self._weights(step["key"], outcomes)
        outcome = drawn.weighed(weights)
        others = [name for name in outcomes if name != outcome]
        disputed = drawn.among(others) if others and drawn.happens(self.mix.disagreement) else ""
        reduces = outcomes[outcome].get("may_reduce") and drawn.happens(self.mix.reduced)
        return Answer(
            outcome=outcome,
            reason_code=self.reason(outcome, outcomes, drawn),
            reduced_to=round(drawn.between(0.3, 0.9), 2) if reduces else 0.0,
            disputed=disputed,
        )

    def proposer(self, parties: int, entry: int) -> int:
        """Which of the parties to a visit proposes it."""
        return self.chance.of("visit", entry).whole(0, parties - 1)

    def reason(
        self,
        outcome: str,
        outcomes: Mapping[str, Mapping[str, Any]],
        chance: Chance | None = None,
        *,
        must: bool = False,
    ) -> str:
        """`must`: also where the outcome by itself needs none."""
        fitting = [code for code, named in self.reasons.items() if outcome in named]
        if not (must or outcomes[outcome].get("needs_reason")) or not fitting:
            return ""
        return (chance or self.chance.of("reason", outcome)).among(fitting)

    def _weights(self, step: str, outcomes: Mapping[str, Any]) -> dict[str, float]:
        named = self.mix.answers.get(step, {})
        least = min(named.values(), default=LEAST_LIKELY)
        return {outcome: named.get(outcome, least) for outcome in outcomes}


def settling(chance: Chance, mix: Mix) -> Settling:
    of = mix.settling
    share = 1.0 if chance.happens(of.in_full) else round(chance.between(0.2, 0.8), 2)
    return Settling(share if chance.happens(of.paid) else 0.0, chance.happens(of.too_much))


def imputing(chance: Chance, mix: Mix) -> Imputing:
    of = mix.imputing
    if chance.happens(of.nothing):
        return Imputing((), False, 0)
    count = chance.whole(2, 4) if chance.happens(of.parts / (1 - of.nothing)) else 1
    parts = tuple(round(1 / count, 3) for _ in range(count - 1))
    last = 1 - sum(parts)
    last = last * chance.between(0.2, 0.8) if chance.happens(of.incomplete) else last
    given_back = chance.whole(1, count) if chance.happens(of.given_back) else 0
    return Imputing((*parts, round(last, 3)), chance.happens(of.too_much), given_back, chance.happens(of.declared))
