"""Visits of goods: which agencies must look at them (by condition, channel or lot), how an appointment is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from . import expressions
from .draw import Draw, drawn
from .errors import ExpressionError
from .value import Value

if TYPE_CHECKING:
    from .model import Rule

Facts = Mapping[str, Any]
Ground = Literal["channel", "condition", "share", "spared"]
SLOT_MINUTES_MAX_DEFAULT = 240
DAYS_AHEAD_MAX_DEFAULT = 60
PROPOSALS_MAX_DEFAULT = 10
NO_SHOWS_MAX_DEFAULT = 3


class ShareWhen(Value, frozen=True, kw_only=True):
    when: str
    share: Decimal


class VisitTerms(Value, frozen=True, kw_only=True):
    """A step that is a joint visit: the moves of its appointment, and its bounds.

    `missed_by_operator` and `missed_by_agency` tell of who did not come; at the operator's `no_shows_max`th time the
    case ends by `abandoned`.
    """

    proposed: str
    confirmed: str
    declined: str
    missed_by_operator: str
    missed_by_agency: str
    abandoned: str
    recorded: str
    slot_minutes_max: int = SLOT_MINUTES_MAX_DEFAULT
    days_ahead_max: int = DAYS_AHEAD_MAX_DEFAULT
    proposals_max: int = PROPOSALS_MAX_DEFAULT
    no_shows_max: int = NO_SHOWS_MAX_DEFAULT
    # Who fixes a slot for all when its own proposals are used up; without it, nobody does.
    fixed_by: Literal["agency"] | None = None

    @property
    def events(self) -> dict[str, str]:
        names = ("proposed", "confirmed", "declined", "missed_by_operator", "missed_by_agency", "abandoned")
        return {name: getattr(self, name) for name in names}


class VisitDue(msgspec.Struct, frozen=True):
    """Whether one rule's agency must visit the goods of one document, and why; a draw is kept to be made again."""

    rule: str
    agency: str
    due: bool
    ground: Ground
    draw: Draw | None = None


class VisitTable:
    """The rules' visit columns at work, for the rules a document met."""

    def __init__(self, rules: Iterable[Rule], version: str) -> None:
        self._version = version
        written = {text for rule in rules for text in conditions(rule)}
        self._compiled = {text: expressions.compile(text) for text in written}

    def visits(self, rules: Iterable[Rule], channel: str, facts: Facts) -> tuple[VisitDue, ...]:
        met = tuple(rules)
        divisor = divisor_of(met)
        return tuple(self._judged(rule, channel, divisor, facts) for rule in met if rule.agency)

    def _judged(self, rule: Rule, channel: str, divisor: Decimal, facts: Facts) -> VisitDue:
        agency = rule.agency or ""
        if channel == "red":
            return VisitDue(rule.id, agency, True, "channel")
        if rule.visit_when is not None and self._holds(rule, rule.visit_when, facts):
            return VisitDue(rule.id, agency, True, "condition")
        share, document_id = self._share(rule, facts), str(facts.get("document_id") or "")
        if share is None or not document_id:
            return VisitDue(rule.id, agency, False, "spared")
        draw = drawn(self._version, f"{rule.id}/visit", share / divisor, document_id)
        return VisitDue(rule.id, agency, draw.selected, "share" if draw.selected else "spared", draw)

    def _share(self, rule: Rule, facts: Facts) -> Decimal | None:
        held = (one.share for one in rule.visit_share_when if self._holds(rule, one.when, facts))
        return next(held, rule.visit_share)

    def _holds(self, rule: Rule, text: str, facts: Facts) -> bool:
        try:
            return self._compiled[text].holds(facts)
        except ExpressionError as error:
            raise ExpressionError(error.text, f"rule {rule.id}: {error.reason}") from error


def conditions(rule: Rule) -> Iterator[str]:
    if rule.visit_when is not None:
        yield rule.visit_when
    yield from (one.when for one in rule.visit_share_when)


def divisor_of(rules: Iterable[Rule]) -> Decimal:
    """Trusted operators are visited less; several grounds of trust multiply."""
    divisor = Decimal(1)
    for rule in rules:
        divisor *= rule.visit_divisor
    return divisor
