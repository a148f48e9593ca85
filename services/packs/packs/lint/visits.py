"""Visits: shares are shares, conditions stand where they are asked, an appointment can be made, kept and missed."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Rule, Step, VisitTerms
from ..source import Place
from .subject import Subject
from .ways import after, walk

FILE = "routing.yaml"
SLOT_MINUTES_LIMIT = 24 * 60
DAYS_AHEAD_LIMIT = 366
PROPOSALS_LIMIT = 50
NO_SHOWS_LIMIT = 20


def conditions_of(rule: Rule) -> Iterator[tuple[Place, str]]:
    """Every condition of a rule, and where it is written."""
    if rule.when is not None:
        yield ("when",), rule.when
    if rule.automatic is not None:
        yield ("automatic",), rule.automatic
    if rule.visit_when is not None:
        yield ("visit_when",), rule.visit_when
    for number, one in enumerate(rule.visit_share_when):
        yield ("visit_share_when", number, "when"), one.when


def visit_shares_are_shares(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        shares = [rule.visit_share] if rule.visit_share is not None else []
        for share in (*shares, *(one.share for one in rule.visit_share_when)):
            if not 0 <= share <= 1:
                yield subject.at(FILE, ("rules", index), "a share of visits lies between 0 and 1")
        if rule.visit_divisor < 1:
            yield subject.at(FILE, ("rules", index, "visit_divisor"), "trust divides by one or more")
        if not rule.agency and (shares or rule.visit_when or rule.visit_share_when):
            yield subject.at(FILE, ("rules", index), "somebody must be the one who visits: an agency is needed")


def appointments_can_be_made(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        for index, before, _ in walk(kind):
            step = kind.steps[index]
            if step.visit is not None:
                opened = after(kind, before, step.enters) or before
                for message in (*_missing_moves(kind, step.visit, opened), *_bounds(step.visit), *_recording(step)):
                    yield subject.at(subject.type_files[kind.key], ("steps", index, "visit"), message)


def _missing_moves(kind: DocumentType, terms: VisitTerms, opened: frozenset[str]) -> Iterator[str]:
    """Follows the appointment: it is proposed, declined, confirmed, missed, and proposed again."""
    proposed = after(kind, opened, terms.proposed)
    confirmed = after(kind, proposed, terms.confirmed)
    missed = {event: after(kind, confirmed, event) for event in (terms.missed_by_operator, terms.missed_by_agency)}
    yield from _without(kind, terms.proposed, opened)
    yield from _without(kind, terms.confirmed, proposed)
    yield from _without(kind, terms.declined, proposed | confirmed)
    yield from _without(kind, terms.abandoned, confirmed)
    for event, ends in missed.items():
        yield from _without(kind, event, confirmed)
        yield from _without(kind, terms.proposed, ends)
    yield from _without(kind, terms.proposed, after(kind, proposed | confirmed, terms.declined))


def _without(kind: DocumentType, event: str, states: frozenset[str]) -> Iterator[str]:
    for state in sorted(states):
        if kind.transition(state, event) is None:
            yield f"no transition {event} from {state}"


def _bounds(terms: VisitTerms) -> Iterator[str]:
    limits = {
        "slot_minutes_max": SLOT_MINUTES_LIMIT,
        "days_ahead_max": DAYS_AHEAD_LIMIT,
        "proposals_max": PROPOSALS_LIMIT,
        "no_shows_max": NO_SHOWS_LIMIT,
    }
    for name, limit in limits.items():
        if not 1 <= getattr(terms, name) <= limit:
            yield f"{name} lies between 1 and {limit}"


def _recording(step: Step) -> Iterator[str]:
    outcome = step.outcomes.get(step.visit.recorded) if step.visit else None
    if outcome is None or outcome.by != "system":
        yield "`recorded` names an outcome of the step that is by the system: officers record the visit itself"
    if len(step.outcomes) != 1:
        yield "a visit has one outcome, that it was recorded; what follows from it is the next step's"
    if step.tacit is not None:
        yield "silence visits nothing"
    if not step.agency.rules and not step.agency.decided:
        yield "a joint visit is of those the rules name, or of those who decided it"


RULES = (visit_shares_are_shares, appointments_can_be_made)
