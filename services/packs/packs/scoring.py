"""The risk score: what adds to it and takes from it, each with its points and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from . import expressions
from .errors import ExpressionError
from .goods import concerns
from .history import Facts, History, unit_values
from .model import Alert, Labels, Oddities, Oddity, PastFindings, Risk, Rule, UnitValues

SCORE_MAX = 100


class Factor(msgspec.Struct, frozen=True):
    """One contribution. `code`: a rule's or an oddity's id, `chapter:64`, `origin:XX`, `findings:2`, `value:640399`."""

    code: str
    points: int
    explanation: Labels


class Watch:
    """The alerts of a pack, by the day it is where the country is."""

    def __init__(self, alerts: Sequence[Alert] = (), timezone: str = "UTC") -> None:
        self._alerts = tuple(alerts)
        self._zone = ZoneInfo(timezone)

    def raised(self, facts: Facts) -> list[str]:
        """The ids of the alerts in force that these goods meet."""
        if not self._alerts:
            return []
        day, origin, codes = self._day(facts), facts.get("origin"), facts.get("hs_codes") or ()
        return [alert.id for alert in self._alerts if _is_met(alert, day, origin, codes)]

    def _day(self, facts: Facts) -> date | None:
        moment = facts.get("submitted_at")
        return datetime.fromisoformat(str(moment)).astimezone(self._zone).date() if moment else None


class Scale:
    """A pack's weights at work."""

    def __init__(self, risk: Risk) -> None:
        self._risk = risk
        self._oddities = [(odd, expressions.compile(odd.when)) for odd in _listed(risk.oddities)]

    def score(self, rules: Iterable[Rule], facts: Facts, history: History) -> tuple[int, list[Factor]]:
        factors = [factor for factor in self._factors(rules, facts, history) if factor.points]
        return min(SCORE_MAX, max(0, sum(factor.points for factor in factors))), factors

    def _factors(self, rules: Iterable[Rule], facts: Facts, history: History) -> Iterator[Factor]:
        yield from self._chapter(facts)
        yield from self._origin(facts)
        if self._risk.past_findings and history.non_conformities:
            yield self._findings(self._risk.past_findings, history.non_conformities)
        if self._risk.unit_values:
            yield from self._value(self._risk.unit_values, facts, history)
        if self._risk.oddities:
            yield from self._odd(self._risk.oddities.points_max, facts)
        yield from (Factor(rule.id, rule.risk, rule.labels) for rule in rules)

    def _chapter(self, facts: Facts) -> Iterator[Factor]:
        chapters = sorted({code[:2] for code in facts.get("hs_codes") or ()})
        if chapters:
            weights, default = self._risk.chapter_weights, self._risk.default_chapter_weight
            heaviest = max(chapters, key=lambda chapter: weights.get(chapter, default))
            yield Factor(f"chapter:{heaviest}", weights.get(heaviest, default), self._label("chapter"))

    def _origin(self, facts: Facts) -> Iterator[Factor]:
        origin = facts.get("origin")
        if origin:
            points = self._risk.origin_weights.get(origin, self._risk.default_origin_weight)
            yield Factor(f"origin:{origin}", points, self._label("origin"))

    def _findings(self, weight: PastFindings, number: int) -> Factor:
        points = min(weight.points_max, weight.points_each * number)
        return Factor(f"findings:{number}", points, self._label("findings"))

    def _value(self, weight: UnitValues, facts: Facts, history: History) -> Iterator[Factor]:
        """The position that is furthest from what its like used to cost speaks for all."""
        known = {code: one for code, one in history.medians.items() if one.samples >= weight.samples_min}
        off = {
            code: _points(weight, value, known[code].per_tonne)
            for code, value in unit_values(facts).items()
            if code in known
        }
        if off:
            worst = max(sorted(off), key=lambda code: off[code])
            yield Factor(f"value:{worst}", off[worst], self._label("value"))

    def _odd(self, points_max: int, facts: Facts) -> Iterator[Factor]:
        left = points_max
        for odd, when in self._oddities:
            try:
                met = when.holds(facts)
            except ExpressionError as error:
                raise ExpressionError(error.text, f"oddity {odd.id}: {error.reason}") from error
            if met:
                points = min(left, odd.points)
                left -= points
                yield Factor(odd.id, points, odd.labels)

    def _label(self, name: str) -> Labels:
        return self._risk.labels.get(name, {})


def _is_met(alert: Alert, day: date | None, origin: str | None, codes: Sequence[str]) -> bool:
    if day is None or not alert.from_ <= day <= (alert.to or date.max):
        return False
    if alert.origins and origin not in alert.origins:
        return False
    return alert.hs is None or any(concerns(alert.hs, code) for code in codes)


def _points(weight: UnitValues, value: int, median: int) -> int:
    """Of the widest band the value lies beyond; goods for nothing lie beyond every one."""
    low, high = sorted((value, median))
    times = Decimal(high) / low if low > 0 else Decimal("Infinity") if high > 0 else Decimal(1)
    return max((band.points for band in weight.bands if times >= band.times), default=0)


def _listed(oddities: Oddities | None) -> Sequence[Oddity]:
    return oddities.list if oddities else ()
