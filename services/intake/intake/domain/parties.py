"""Whose document it is, who files it, and who may see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What the decision tables want to know of an organisation."""

    organisation_id: str
    attributes: tuple[str, ...] = ()
    billing_mode: str = ""
    # An applicant may be admitted at any moment, and is another one from then on.
    is_settled: bool = True


@dataclass(frozen=True, slots=True)
class Filing:
    """Who files for whom. `mandate_id` is empty when an organisation files for itself."""

    owner: Profile
    submitter_organisation_id: str
    submitted_by: str
    mandate_id: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Sees what its organisation owns or filed, what its agency had a task on; `sees_all` for customs and operator."""

    organisation_id: str
    agency: str
    sees_all: bool


SEE_ALL_ROLES = frozenset({"customs_officer", "operator_admin", "service"})
READ_FOR_AGENCY_ROLES = frozenset({"agency_officer", "bank_officer", "customs_officer"})


def viewer(organisation_id: str, agency: str, roles: frozenset[str]) -> Viewer:
    reads_for_agency = not roles.isdisjoint(READ_FOR_AGENCY_ROLES)
    return Viewer(organisation_id, agency if reads_for_agency else "", not roles.isdisjoint(SEE_ALL_ROLES))
