"""The routing table: goods that can exist, facts somebody derives, consequences that can be carried out."""

from __future__ import annotations

from collections.abc import Iterator

from ..decisions import ALERTS_FACT
from ..errors import Finding
from ..expressions import names_used, validate
from ..goods import prefixes
from ..history import HISTORY_FACTS
from ..model import DocumentType, Rule
from ..scoring import SCORE_MAX
from .subject import Subject
from .visits import conditions_of

FILE = "routing.yaml"
TERM_SECONDS_MAX = 366 * 24 * 3600
INTAKE_FACTS = frozenset(
    {
        "type",
        "direction",
        "owner_organisation_id",
        "submitter_organisation_id",
        "owner_attributes",
        "owner_billing_mode",
        "national_value_minor",
        "submitted_at",
        "document_id",
    }
)
KNOWN_FACTS = INTAKE_FACTS | HISTORY_FACTS | {ALERTS_FACT}


def goods_can_exist(subject: Subject) -> Iterator[Finding]:
    goods = subject.pack.lists.get("hs")
    for index, rule in enumerate(subject.pack.rules):
        for number, pattern in enumerate(rule.hs or ()):
            fault = pattern_fault(pattern, goods.members if goods else frozenset())
            if fault:
                yield subject.at(FILE, ("rules", index, "hs", number), fault)


def conditions_name_derived_facts(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        derived = _derived(subject, rule)
        for place, text in conditions_of(rule):
            given = KNOWN_FACTS if place == ("when",) else INTAKE_FACTS
            for name in sorted(_asked(text) - derived - given):
                yield subject.at(FILE, ("rules", index, *place), f"no document type derives the fact {name}")


def shares_are_shares(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.share is not None and not 0 <= rule.share <= 1:
            yield subject.at(FILE, ("rules", index, "share"), "a share lies between 0 and 1")


def tasks_have_a_term(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.sla_seconds is not None and not 0 < rule.sla_seconds <= TERM_SECONDS_MAX:
            message = f"a term is a positive number of seconds, at most {TERM_SECONDS_MAX}"
            yield subject.at(FILE, ("rules", index, "sla_seconds"), message)


def points_are_points(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if abs(rule.risk) > SCORE_MAX:
            yield subject.at(FILE, ("rules", index, "risk"), f"at most {SCORE_MAX} points either way")


def rules_have_a_consequence(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        asks = (rule.agency, rule.document, rule.requires_type, rule.not_required)
        if not any((*asks, rule.risk, rule.four_eyes, rule.channel, rule.visit_divisor != 1)):
            yield subject.at(FILE, ("rules", index), f"nothing follows from {rule.id}")


def random_rules_have_a_share(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.mode == "random" and rule.share is None:
            yield subject.at(FILE, ("rules", index), f"{rule.id} is random without a share")


def admission_needs_no_history(subject: Subject) -> Iterator[Finding]:
    """Intake admits by the document alone: neither the rule nor one that may speak before it asks for more."""
    spoken = {(rule.agency, rule.document) for rule in subject.pack.rules if rule.agency and _admits(rule)}
    for index, rule in enumerate(subject.pack.rules):
        asked = sorted(_asked(rule.when) & HISTORY_FACTS)
        if asked and (_admits(rule) or (rule.agency, rule.document) in spoken):
            message = f"{rule.id} decides who is admitted: it may not ask for {asked[0]}"
            yield subject.at(FILE, ("rules", index, "when"), message)


def pattern_fault(pattern: str, goods: frozenset[str]) -> str | None:
    try:
        wanted = tuple(prefixes(pattern))
    except ValueError as error:
        return str(error)
    if goods and not any(code.startswith(wanted) for code in goods):
        return f"no goods have the code {pattern}"
    return None


def _admits(rule: Rule) -> bool:
    return rule.not_required or rule.requires_type is not None


def _asked(text: str | None) -> frozenset[str]:
    return names_used(text) if text and not validate(text) else frozenset()


def _derived(subject: Subject, rule: Rule) -> frozenset[str]:
    kinds = [kind for kind in subject.pack.document_types.values() if _may_meet(rule, kind)]
    return frozenset().union(*(kind.facts for kind in kinds))


def _may_meet(rule: Rule, kind: DocumentType) -> bool:
    directed = "any" in {rule.direction, kind.direction} or rule.direction == kind.direction
    return directed and (rule.types is None or kind.key in rule.types)


RULES = (
    goods_can_exist,
    conditions_name_derived_facts,
    shares_are_shares,
    tasks_have_a_term,
    points_are_points,
    rules_have_a_consequence,
    random_rules_have_a_share,
    admission_needs_no_history,
)
