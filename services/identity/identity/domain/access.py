"""What a caller may do beyond the role that let the call in: whose organisation, whose mandate."""

from kit.auth import Principal
from kit.errors import Forbidden, NotFound

from identity.domain.mandates import Mandate
from identity.domain.organisations import ACTIVE, DIRECTORY, Kind, Organisation

OPERATOR = "operator_admin"
SERVICE = "service"
# Officials meet traders on documents and must be able to say who they are.
OFFICIALS = frozenset({Kind.BANK, Kind.AGENCY, Kind.CUSTOMS, Kind.FINANCE})
SEES_ALL = frozenset({Kind.CUSTOMS, Kind.FINANCE})


def require_management(by: Principal, organisation_id: str) -> None:
    """Users and clients are managed by the organisation's own administrator or by the operator's."""
    if not by.has(OPERATOR) and not (by.has("org_admin") and by.organisation_id == organisation_id):
        raise Forbidden("FORBIDDEN", "users and clients are managed by their own organisation's administrator")


def require_own_person(by: Principal) -> None:
    """Signed in with the own password: what a machine says is not yet what its person says."""
    if by.subject != by.person:
        raise Forbidden("FORBIDDEN", "a person confirms this, signed in as themselves")


def require_own_mandates(by: Principal, organisation_id: str) -> None:
    if not by.has(OPERATOR) and by.organisation_id != organisation_id:
        raise Forbidden("FORBIDDEN", "these are another organisation's mandates")


def require_revocable(by: Principal, mandate: Mandate) -> None:
    """The principal takes back what it gave; the agent knows of it, and others do not."""
    if by.has(OPERATOR) or by.organisation_id == mandate.principal_organisation_id:
        return
    if by.organisation_id == mandate.agent_organisation_id:
        raise Forbidden("FORBIDDEN", "only the organisation that granted a mandate revokes it")
    raise NotFound("NOT_FOUND", "no such mandate")


def may_see(by: Principal, organisation: Organisation, is_connected: bool) -> bool:
    own = by.organisation_id == organisation.id
    official = by.organisation_kind in OFFICIALS
    listed = organisation.kind in DIRECTORY and organisation.state == ACTIVE
    return own or official or is_connected or listed or by.has(OPERATOR, SERVICE)


def sees_every_organisation(by: Principal) -> bool:
    return by.has(OPERATOR, SERVICE) or by.organisation_kind in SEES_ALL
