"""The demonstration's organisations: numbers that could be real, agencies and roles that exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..company_numbers import checker, fault
from ..errors import Finding
from ..source import Place
from .steps import ROLES
from .subject import Subject

FILE = "demo/seed.yaml"
SEED_ROLES = ROLES | {"declarant", "org_admin", "rules_officer", "service"}


def the_scheme_is_known(subject: Subject) -> Iterator[Finding]:
    try:
        checker(subject.pack.company_number.scheme)
    except ValueError as error:
        yield subject.at("pack.yaml", ("company_number", "scheme"), str(error))


def company_numbers_are_right(subject: Subject) -> Iterator[Finding]:
    if next(the_scheme_is_known(subject), None):
        return
    for place, organisation in _entries(subject, "organisations"):
        number = organisation.get("company_number")
        wrong = fault(subject.pack.company_number, str(number)) if number is not None else None
        if wrong:
            yield subject.at(FILE, (*place, "company_number"), f"the number {number} {wrong}")


def company_numbers_are_unique(subject: Subject) -> Iterator[Finding]:
    holders: set[str] = set()
    for place, organisation in _entries(subject, "organisations"):
        number = organisation.get("company_number")
        if number in holders:
            yield subject.at(FILE, (*place, "company_number"), f"the number {number} is given twice")
        holders |= {number} if isinstance(number, str) else set()


def agencies_exist(subject: Subject) -> Iterator[Finding]:
    for place, organisation in _entries(subject, "organisations"):
        agency = organisation.get("agency_code")
        if agency is not None and agency not in subject.pack.agencies:
            yield subject.at(FILE, (*place, "agency_code"), f"unknown agency {agency}")


def languages_are_spoken(subject: Subject) -> Iterator[Finding]:
    for part in ("organisations", "users"):
        for place, entry in _entries(subject, part):
            language = entry.get("language")
            if language is not None and language not in subject.pack.languages:
                yield subject.at(FILE, (*place, "language"), f"{language} is not a language of this pack")


def roles_exist(subject: Subject) -> Iterator[Finding]:
    for part in ("users", "clients"):
        for place, entry in _entries(subject, part):
            for index, role in enumerate(entry.get("roles") or ()):
                if role not in SEED_ROLES:
                    yield subject.at(FILE, (*place, "roles", index), f"unknown role {role}")


def _entries(subject: Subject, part: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The entries of one part, also those written under an organisation."""
    source = subject.sources.get(FILE)
    if source is not None:
        yield from _found(source.value, part, ())


def _found(value: Any, part: str, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == part and isinstance(inner, list):
                yield from (
                    ((*place, key, index), entry) for index, entry in enumerate(inner) if isinstance(entry, dict)
                )
            yield from _found(inner, part, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _found(inner, part, (*place, index))


RULES = (
    the_scheme_is_known,
    company_numbers_are_right,
    company_numbers_are_unique,
    agencies_exist,
    languages_are_spoken,
    roles_exist,
)
