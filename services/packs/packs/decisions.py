"""The routing table at work: which rules a document meets, and what follows from them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from . import expressions
from .draw import Draw as Draw
from .draw import drawn
from .errors import ExpressionError
from .expressions import Expression
from .goods import GoodsIndex
from .history import UNKNOWN, Facts, History
from .model import Pack, Risk, Rule
from .scoring import SCORE_MAX as SCORE_MAX
from .scoring import Factor as Factor
from .scoring import Scale, Watch
from .visits import VisitDue, VisitTable

Channel = Literal["green", "orange", "red"]
ALERTS_FACT = "alerts"
_SEVERITY: dict[Channel, int] = {"green": 0, "orange": 1, "red": 2}


class Lane(msgspec.Struct, frozen=True):
    """The channel, and the rule that imposed it (none when the score alone decided)."""

    channel: Channel
    rule: str | None = None
    draw: Draw | None = None


class Plan(msgspec.Struct, frozen=True):
    """Everything the table says of one document, from one pass over it."""

    rules: tuple[Rule, ...]
    routes: tuple[Rule, ...]
    admission: tuple[Rule, ...]
    score: int
    factors: tuple[Factor, ...]
    lane: Lane
    four_eyes: tuple[str, ...]
    draws: tuple[Draw, ...]


class DecisionTable:
    """Rules are preselected by direction, goods, type and regime before any expression is evaluated."""

    def __init__(
        self, rules: Sequence[Rule], risk: Risk | None = None, version: str = "", watch: Watch | None = None
    ) -> None:
        self.rules = tuple(rules)
        self.version = version
        self._risk = risk or Risk()
        self._scale = Scale(self._risk)
        self._watch = watch or Watch()
        self._goods = GoodsIndex([rule.hs for rule in self.rules])
        self._directions = _Remembered(_takes_direction, self.rules)
        self._types = _Remembered(_takes_type, self.rules)
        self._regimes = _Remembered(_takes_regime, self.rules)
        self._when: list[Expression | None] = [expressions.compile(rule.when) if rule.when else None for rule in rules]
        self._automatic = {rule.id: expressions.compile(rule.automatic) for rule in rules if rule.automatic}
        self._visits = VisitTable(self.rules, version)

    @classmethod
    def of(cls, pack: Pack) -> DecisionTable:
        return cls(pack.routing.rules, pack.risk, pack.routing.version, Watch(pack.alerts or (), pack.timezone))

    def match(self, facts: Facts) -> list[Rule]:
        """The rules that apply, in table order; the first one speaks for its agency and document."""
        return [rule for rule, draw in self._tried(self._known(facts)) if draw is None or draw.selected]

    def admission(self, facts: Facts) -> list[Rule]:
        """The rules that keep this document type from being accepted for these goods."""
        return [rule for rule in self.match(facts) if _refuses(rule, facts)]

    def routes(self, facts: Facts) -> list[Rule]:
        """The rules by which an agency has a say."""
        return [rule for rule in self.match(facts) if rule.agency]

    def risk(self, facts: Facts, history: History = UNKNOWN) -> tuple[int, list[Factor]]:
        plan = self.plan(facts, history)
        return plan.score, list(plan.factors)

    def channel(self, facts: Facts) -> Lane:
        return self.plan(facts).lane

    def is_automatic(self, rule: Rule, facts: Facts) -> bool:
        """Whether the rule's task is decided at once, without an officer."""
        condition = self._automatic.get(rule.id)
        return _holds(rule, condition, facts) if condition else False

    def plan(self, facts: Facts, history: History = UNKNOWN) -> Plan:
        facts = self._known(facts, history)
        tried = list(self._tried(facts))
        matches = [(rule, draw) for rule, draw in tried if draw is None or draw.selected]
        rules = [rule for rule, _ in matches]
        score, factors = self._scale.score(rules, facts, history)
        return Plan(
            rules=tuple(rules),
            routes=tuple(rule for rule in rules if rule.agency),
            admission=tuple(rule for rule in rules if _refuses(rule, facts)),
            score=score,
            factors=tuple(factors),
            lane=self._lane(matches, score),
            four_eyes=tuple(rule.id for rule in rules if rule.four_eyes),
            draws=tuple(draw for _, draw in tried if draw is not None),
        )

    def visits(self, plan: Plan, facts: Facts) -> tuple[VisitDue, ...]:
        """Which of the agencies the plan names must visit the goods."""
        return self._visits.visits(plan.rules, plan.lane.channel, facts)

    def _known(self, facts: Facts, history: History = UNKNOWN) -> Facts:
        """With what is known beside the document; conditions may ask for it."""
        return {**facts, **history.facts(), ALERTS_FACT: self._watch.raised(facts)}

    def _tried(self, facts: Facts) -> Iterator[tuple[Rule, Draw | None]]:
        """Every rule that applies unless its own draw spared the document."""
        spoken: set[tuple[str, str | None]] = set()
        for place in self._candidates(facts):
            rule, when = self.rules[place], self._when[place]
            if rule.agency and (rule.agency, rule.document) in spoken:
                continue
            if when is not None and not _holds(rule, when, facts):
                continue
            draw = self._draw(rule, facts) if rule.share is not None else None
            if rule.share is not None and draw is None:
                continue
            if rule.agency and (draw is None or draw.selected):
                spoken.add((rule.agency, rule.document))
            yield rule, draw

    def _candidates(self, facts: Facts) -> Iterator[int]:
        bits = self._goods.entries(facts.get("hs_codes") or ())
        bits &= self._directions.entries(facts.get("direction") or "")
        bits &= self._types.entries(facts.get("type") or "")
        bits &= self._regimes.entries(facts.get("regime") or "")
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest

    def _draw(self, rule: Rule, facts: Facts) -> Draw | None:
        """No draw without a document: a simulation is not a lottery ticket."""
        document_id = facts.get("document_id")
        if rule.share is None or not document_id:
            return None
        return drawn(self.version, rule.id, rule.share, document_id)

    def _lane(self, matches: Iterable[tuple[Rule, Draw | None]], score: int) -> Lane:
        lanes = [Lane(self._lane_of_score(score))]
        lanes += [Lane(rule.channel, rule.id, draw) for rule, draw in matches if rule.channel]
        return max(lanes, key=lambda lane: _SEVERITY[lane.channel])

    def _lane_of_score(self, score: int) -> Channel:
        if score >= self._risk.thresholds.red:
            return "red"
        return "orange" if score >= self._risk.thresholds.orange else "green"


class _Remembered:
    """Per value of one fact, a bit for each rule that takes it; the values met are few and kept."""

    VALUES_MAX = 1000

    def __init__(self, takes: Callable[[Rule, str], bool], rules: Sequence[Rule]) -> None:
        self._takes = takes
        self._rules = rules
        self._known: dict[str, int] = {}

    def entries(self, value: str) -> int:
        bits = self._known.get(value)
        if bits is None:
            bits = sum(1 << place for place, rule in enumerate(self._rules) if self._takes(rule, value))
            if len(self._known) < self.VALUES_MAX:
                self._known[value] = bits
        return bits


def _takes_direction(rule: Rule, direction: str) -> bool:
    return rule.direction in {direction, "any"}


def _takes_type(rule: Rule, document_type: str) -> bool:
    """A rule that requires a type is about that type and its siblings."""
    if rule.requires_type is not None and document_type and _family(rule.requires_type) != _family(document_type):
        return False
    return rule.types is None or document_type in rule.types


def _family(document_type: str) -> str:
    return document_type.partition(".")[0]


def _takes_regime(rule: Rule, regime: str) -> bool:
    return rule.regimes is None or regime.startswith(rule.regimes)


def _holds(rule: Rule, condition: Expression, facts: Facts) -> bool:
    try:
        return condition.holds(facts)
    except ExpressionError as error:
        raise ExpressionError(error.text, f"rule {rule.id}: {error.reason}") from error


def _refuses(rule: Rule, facts: Facts) -> bool:
    """Only a sibling of the required type is refused: another kind of import title, not a control request."""
    if rule.not_required:
        return True
    given = str(facts.get("type") or "")
    wanted = rule.requires_type
    return wanted is not None and given != wanted and _family(given) == _family(wanted)
