"""Names that one file uses are the names another file gives."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..expressions import names_used, validate
from ..model import NotificationRule, Step
from ..source import Place
from .messages import known_events
from .subject import Subject


def agencies_of_steps_exist(subject: Subject) -> Iterator[Finding]:
    for key, index, step in _steps(subject):
        if step.agency.code and step.agency.code not in subject.pack.agencies:
            place = ("steps", index, "agency", "code")
            yield subject.at(subject.type_files[key], place, f"unknown agency {step.agency.code}")


def agencies_of_rules_exist(subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(subject.pack.rules):
        if rule.agency and rule.agency not in subject.pack.agencies:
            yield subject.at("routing.yaml", ("rules", index, "agency"), f"unknown agency {rule.agency}")


def document_types_of_rules_exist(subject: Subject) -> Iterator[Finding]:
    known = subject.pack.document_types
    for index, rule in enumerate(subject.pack.rules):
        place: Place = ("rules", index)
        if rule.requires_type and rule.requires_type not in known:
            message = f"unknown document type {rule.requires_type}"
            yield subject.at("routing.yaml", (*place, "requires_type"), message)
        for number, key in enumerate(rule.types or ()):
            if key not in known:
                yield subject.at("routing.yaml", (*place, "types", number), f"unknown document type {key}")


def reasons_explain_outcomes(subject: Subject) -> Iterator[Finding]:
    outcomes = {name for _, _, step in _steps(subject) for name in step.outcomes}
    for index, reason in enumerate(subject.pack.reasons.values()):
        for number, name in enumerate(reason.outcomes):
            if name not in outcomes:
                yield subject.at("reasons.yaml", (index, "outcomes", number), f"no step has the outcome {name}")


def notifications_have_templates(subject: Subject) -> Iterator[Finding]:
    for place, rule in _notifications(subject):
        if rule.template not in subject.pack.templates:
            yield subject.at("notifications.yaml", (*place, "template"), f"unknown template {rule.template}")


def notifications_follow_events(subject: Subject) -> Iterator[Finding]:
    events = known_events()
    for place, rule in _notifications(subject):
        if events and rule.event not in events:
            yield subject.at("notifications.yaml", (*place, "event"), f"unknown event {rule.event}")


def notification_conditions_name_fields(subject: Subject) -> Iterator[Finding]:
    events = known_events()
    for place, rule in _notifications(subject):
        if not rule.when or validate(rule.when) or rule.event not in events:
            continue
        for name in sorted(names_used(rule.when) - events[rule.event]):
            message = f"{rule.event} has no field {name}"
            yield subject.at("notifications.yaml", (*place, "when"), message)


def notifications_are_named_once(subject: Subject) -> Iterator[Finding]:
    met: set[str] = set()
    for place, rule in _notifications(subject):
        if rule.id in met:
            yield subject.at("notifications.yaml", place, f"{rule.id} is given twice")
        met.add(rule.id)


def lists_are_in_their_file(subject: Subject) -> Iterator[Finding]:
    for name, codes in subject.pack.lists.items():
        file = f"lists/{name}.yaml"
        if codes.list != name:
            yield subject.at(file, ("list",), f"the list {codes.list} stands in the file of {name}")
        if not codes.codes:
            yield subject.at(file, (), "the list has no codes")


def currencies_exist(subject: Subject) -> Iterator[Finding]:
    currencies = subject.pack.lists.get("currencies")
    if currencies is None:
        return
    named: list[tuple[str, Place, str]] = [("pack.yaml", ("currency",), subject.pack.currency)]
    for index, version in enumerate(subject.pack.tariff):
        named.append(("tariff.yaml", ("versions", index, "currency"), version.currency))
    for index, rate in enumerate(subject.pack.rates):
        named.append(("rates.yaml", _rate_place(subject, index), rate.currency))
    for file, place, currency in named:
        if currency not in currencies.members:
            yield subject.at(file, place, f"unknown currency {currency}")


def _rate_place(subject: Subject, index: int) -> Place:
    return (*_root(subject, "rates.yaml", "rates"), index, "currency")


def _root(subject: Subject, file: str, key: str) -> Place:
    """Lists stand under a key, or are the whole file."""
    return () if isinstance(subject.sources[file].value, list) else (key,)


def _steps(subject: Subject) -> Iterator[tuple[str, int, Step]]:
    for key, kind in subject.pack.document_types.items():
        for index, step in enumerate(kind.steps):
            yield key, index, step


def _notifications(subject: Subject) -> Iterator[tuple[Place, NotificationRule]]:
    for index, rule in enumerate(subject.pack.notification_rules):
        yield (*_root(subject, "notifications.yaml", "rules"), index), rule


RULES = (
    agencies_of_steps_exist,
    agencies_of_rules_exist,
    document_types_of_rules_exist,
    reasons_explain_outcomes,
    notifications_have_templates,
    notifications_follow_events,
    notification_conditions_name_fields,
    notifications_are_named_once,
    lists_are_in_their_file,
    currencies_exist,
)
