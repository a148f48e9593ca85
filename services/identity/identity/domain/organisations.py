"""Organisations: kinds, what each kind must have, and the roles its members may hold."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from packs import company_numbers
from packs.model import CompanyNumber

from identity.domain.wrong import Wrong, is_name

APPLICANT, ACTIVE, REFUSED = "APPLICANT", "ACTIVE", "REFUSED"
ATTRIBUTES_MAX = 20
COMPANY_NUMBER_CHARS_MAX = 40
BILLING_MODES = frozenset({"subscriber", "occasional"})
ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class Kind(StrEnum):
    IMPORTER = "importer"
    EXPORTER = "exporter"
    BROKER = "broker"
    BANK = "bank"
    AGENCY = "agency"
    CUSTOMS = "customs"
    FINANCE = "finance"
    OPERATOR = "operator"


TRADERS = frozenset({Kind.IMPORTER, Kind.EXPORTER, Kind.BROKER})
HAS_CODE = frozenset({Kind.BANK, Kind.AGENCY, Kind.CUSTOMS})
# Traders look for a broker, a bank or an office; who trades is nobody else's business.
DIRECTORY = frozenset(Kind) - {Kind.IMPORTER, Kind.EXPORTER}

ROLES: Mapping[Kind, frozenset[str]] = {
    Kind.IMPORTER: frozenset({"declarant", "org_admin"}),
    Kind.EXPORTER: frozenset({"declarant", "org_admin"}),
    Kind.BROKER: frozenset({"declarant", "org_admin"}),
    Kind.BANK: frozenset({"bank_officer", "org_admin"}),
    Kind.AGENCY: frozenset({"agency_officer", "org_admin"}),
    Kind.CUSTOMS: frozenset({"customs_officer", "org_admin"}),
    Kind.FINANCE: frozenset({"finance_officer", "org_admin"}),
    # No org_admin: one could make operator administrators of one's own choosing.
    Kind.OPERATOR: frozenset({"operator_admin", "rules_officer"}),
}


@dataclass(frozen=True, slots=True)
class Organisation:
    id: str
    name: str
    kind: str
    company_number: str
    agency_code: str
    language: str
    billing_mode: str
    attributes: tuple[str, ...]
    activated_at: datetime | None
    state: str = ACTIVE

    @property
    def roles_allowed(self) -> frozenset[str]:
        """An applicant works on its own application alone."""
        return ROLES[Kind(self.kind)] if self.state == ACTIVE else frozenset({"applicant"})


@dataclass(frozen=True, slots=True)
class CountryRules:
    """What the pack says about organisations; `agency_kinds` maps an agency's code to its kind."""

    number: CompanyNumber
    languages: frozenset[str]
    default_language: str
    agency_kinds: Mapping[str, str]

    def company_number(self, text: str) -> str | None:
        """The number without spaces; None when shape, check digits or the list of refused say no."""
        number = "".join(text[:COMPANY_NUMBER_CHARS_MAX].split())
        return None if company_numbers.fault(self.number, number) else number


def kind_of_body(pack_kind: str) -> Kind:
    """A pack tells more kinds of body apart (inspection, terminal) than roles do: those act as agencies."""
    return Kind(pack_kind) if pack_kind in HAS_CODE else Kind.AGENCY


def registered(asked: Organisation, rules: CountryRules) -> Organisation:
    """What is stored of what was asked. Raises Invalid."""
    wrong = Wrong()
    _check_profile(asked, rules, wrong)
    number = _company_number(asked, rules, wrong)
    _check_code(asked, rules, wrong)
    wrong.refuse_if_any()
    return replace(asked, name=asked.name.strip(), company_number=number)


def _check_profile(asked: Organisation, rules: CountryRules, wrong: Wrong) -> None:
    wrong.unless(is_name(asked.name), "/name", "NAME", "a name of 1 to 200 printable characters is needed")
    wrong.unless(asked.kind in set(Kind), "/kind", "KIND", "must be one of: " + ", ".join(Kind))
    check_language(asked.language, rules, wrong)
    wrong.unless(asked.billing_mode in BILLING_MODES, "/billing_mode", "BILLING_MODE", "subscriber or occasional")
    fit = len(asked.attributes) <= ATTRIBUTES_MAX and all(ATTRIBUTE.fullmatch(one) for one in asked.attributes)
    wrong.unless(
        fit, "/attributes", "ATTRIBUTES", f"at most {ATTRIBUTES_MAX} words of up to 40 letters, digits, _ and -"
    )


def check_language(language: str, rules: CountryRules, wrong: Wrong) -> None:
    known = ", ".join(sorted(rules.languages))
    wrong.unless(language in rules.languages, "/language", "LANGUAGE", f"must be one of: {known}")


def _company_number(asked: Organisation, rules: CountryRules, wrong: Wrong) -> str:
    if not asked.company_number:
        wrong.unless(asked.kind not in TRADERS, "/company_number", "REQUIRED", "a trader has a company number")
        return ""
    number = rules.company_number(asked.company_number)
    wrong.unless(number is not None, "/company_number", "COMPANY_NUMBER", "not a valid company number")
    return number or ""


def _check_code(asked: Organisation, rules: CountryRules, wrong: Wrong) -> None:
    if not asked.agency_code:
        wrong.unless(asked.kind not in HAS_CODE, "/agency_code", "REQUIRED", "the code the steps name is needed")
        return
    pointer, code = "/agency_code", "AGENCY_CODE"
    wrong.unless(asked.kind not in TRADERS, pointer, code, "a trader has no agency code")
    known = rules.agency_kinds.get(asked.agency_code)
    wrong.unless(known is not None, pointer, code, "the pack names no such agency")
    wrong.unless(known in (None, asked.kind), pointer, code, f"this code belongs to a body of kind {known}")
