"""The routing table: goods that can exist, facts somebody derives, consequences that can be carried out."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..expressions import names_used, validate
from ..goods import prefixes
from ..model import DocumentType, Rule
from .subject import Subject
from .visits import conditions_of

FILE = "routing.yaml"
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


def goods_can_exist(subject: Subject) -> Iterator[Finding]:
    goods = subject.pack.lists.get("hs")
    for index, rule in enumerate(subject.pack.rules):
        for number, pattern in enumerate(rule.hs or ()):
            fault = _pattern_fault(pattern, goods.members if goods else frozenset())
            if fault:
                yield subject.at(FILE, ("rules", index, "hs", number), fault)


def conditions_name_derived_facts(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        derived = _derived(subject, rule)
        for place, text in conditions_of(rule):
            for name in sorted(_asked(text) - derived):
                yield subject.at(FILE, ("rules", index, *place), f"no document type derives the fact {name}")


def shares_are_shares(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.share is not None and not 0 <= rule.share <= 1:
            yield subject.at(FILE, ("rules", index, "share"), "a share lies between 0 and 1")


def tasks_have_a_term(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.sla_seconds is not None and rule.sla_seconds <= 0:
            yield subject.at(FILE, ("rules", index, "sla_seconds"), "a term is a positive number of seconds")


def rules_have_a_consequence(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        asks = (rule.agency, rule.document, rule.requires_type, rule.not_required)
        if not any((*asks, rule.risk, rule.four_eyes, rule.channel, rule.visit_divisor != 1)):
            yield subject.at(FILE, ("rules", index), f"nothing follows from {rule.id}")


def random_rules_have_a_share(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.mode == "random" and rule.share is None:
            yield subject.at(FILE, ("rules", index), f"{rule.id} is random without a share")


def thresholds_rise(subject: Subject) -> Iterator[Finding]:
    thresholds = subject.pack.risk.thresholds
    if not 0 <= thresholds.orange < thresholds.red:
        yield subject.at("risk.yaml", ("thresholds",), "red must come after orange")


def weights_are_of_known_things(subject: Subject) -> Iterator[Finding]:
    goods, countries = subject.pack.lists.get("hs"), subject.pack.lists.get("countries")
    chapters = {code[:2] for code in goods.members} if goods else set()
    for chapter in subject.pack.risk.chapter_weights:
        if goods and chapter not in chapters:
            yield subject.at("risk.yaml", ("chapter_weights", chapter), f"unknown chapter {chapter}")
    for country in subject.pack.risk.origin_weights:
        if countries and country not in countries.members:
            yield subject.at("risk.yaml", ("origin_weights", country), f"unknown country {country}")


def _pattern_fault(pattern: str, goods: frozenset[str]) -> str | None:
    try:
        wanted = tuple(prefixes(pattern))
    except ValueError as error:
        return str(error)
    if goods and not any(code.startswith(wanted) for code in goods):
        return f"no goods have the code {pattern}"
    return None


def _asked(text: str) -> frozenset[str]:
    return names_used(text) if not validate(text) else frozenset()


def _derived(subject: Subject, rule: Rule) -> frozenset[str]:
    kinds = [kind for kind in subject.pack.document_types.values() if _may_meet(rule, kind)]
    return INTAKE_FACTS.union(*(kind.facts for kind in kinds))


def _may_meet(rule: Rule, kind: DocumentType) -> bool:
    directed = "any" in {rule.direction, kind.direction} or rule.direction == kind.direction
    return directed and (rule.types is None or kind.key in rule.types)


RULES = (
    goods_can_exist,
    conditions_name_derived_facts,
    shares_are_shares,
    tasks_have_a_term,
    rules_have_a_consequence,
    random_rules_have_a_share,
    thresholds_rise,
    weights_are_of_known_things,
)
