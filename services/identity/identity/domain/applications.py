"""Applications: a company that asks to come in, and what it becomes once it is admitted."""

from dataclasses import dataclass, replace
from datetime import datetime

from identity.domain.organisations import (
    ACTIVE,
    APPLICANT,
    REFUSED,
    TRADERS,
    CountryRules,
    Organisation,
    check_language,
    registered,
)
from identity.domain.people import User, email_address
from identity.domain.wrong import Wrong, is_name

APPLICANT_ROLE = "applicant"
# What whoever applied may do once the company is in.
ADMITTED_ROLES = ("declarant", "org_admin")
# An applicant whose first person never came is forgotten after as many days.
UNCONFIRMED_DAYS = 14


@dataclass(frozen=True, slots=True)
class Application:
    company_number: str
    kind: str
    company_name: str
    language: str
    email: str
    person_name: str


@dataclass(frozen=True, slots=True)
class Admission:
    """As the document says that admits the organisation."""

    organisation_id: str
    name: str
    kind: str
    company_number: str
    billing_mode: str


def checked(asked: Application, rules: CountryRules) -> Application:
    """What is stored of what was asked. Raises Invalid; it depends on what was asked alone, not on who is known."""
    wrong = Wrong()
    number, address = rules.company_number(asked.company_number), email_address(asked.email)
    wrong.unless(number is not None, "/company_number", "COMPANY_NUMBER", "not a valid company number")
    kinds = ", ".join(sorted(TRADERS))
    wrong.unless(asked.kind in TRADERS, "/kind", "KIND", f"must be one of: {kinds}")
    for pointer, name in (("/company_name", asked.company_name), ("/person_name", asked.person_name)):
        wrong.unless(is_name(name), pointer, "NAME", "a name of 1 to 200 printable characters is needed")
    wrong.unless(address is not None, "/email", "EMAIL", "not an e-mail address")
    check_language(asked.language, rules, wrong)
    wrong.refuse_if_any()
    return replace(asked, company_number=number or "", email=address or "")


def applicant(organisation_id: str, asked: Application) -> Organisation:
    return Organisation(
        id=organisation_id,
        name=asked.company_name.strip(),
        kind=asked.kind,
        company_number=asked.company_number,
        agency_code="",
        language=asked.language,
        billing_mode="occasional",
        attributes=(),
        activated_at=None,
        state=APPLICANT,
    )


def first_person(organisation: Organisation, asked: Application) -> User:
    return User("", organisation.id, asked.email, asked.person_name, asked.language, (APPLICANT_ROLE,))


def admitted(organisation: Organisation, admission: Admission, rules: CountryRules, at: datetime) -> Organisation:
    """Raises Invalid when the document says what no organisation can be."""
    wanted = replace(
        organisation,
        name=admission.name,
        kind=admission.kind,
        company_number=admission.company_number,
        billing_mode=admission.billing_mode,
        state=ACTIVE,
        activated_at=at,
    )
    return registered(wanted, rules)


def turned_away(organisation: Organisation) -> Organisation:
    return replace(organisation, state=REFUSED)
