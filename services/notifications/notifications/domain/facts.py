"""What was said, and the document it was said of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DOCUMENT_SUBMITTED = "portolan.intake.v1.DocumentSubmitted"

# Who answers for an agency's work, and who for the window's.
SUPERVISOR = "org_admin"
OPERATOR = "operator_admin"
# The names under which events speak of whom a rule calls owner and submitter.
OWNER_FIELDS = ("owner_organisation_id", "principal_organisation_id", "payer_organisation_id", "organisation_id")
# A rule's recipient that the event itself names, address and all.
PERSON = "person"
SUBMITTER_FIELDS = ("submitter_organisation_id", "agent_organisation_id")


@dataclass(frozen=True)
class Document:
    id: str
    reference: str
    type: str
    owner: str
    submitter: str
    pack_version: str


@dataclass(frozen=True)
class Said:
    """An event as plain values: `fields` has every field of its message, JSON values only."""

    event_id: str
    type: str
    fields: Mapping[str, Any]
    traceparent: str = ""

    @property
    def document_id(self) -> str:
        return str(self.fields.get("document_id", ""))

    @property
    def is_submission(self) -> bool:
        return self.type == DOCUMENT_SUBMITTED

    def submitted_document(self) -> Document:
        return Document(
            id=self.document_id,
            reference=self.fields["reference"],
            type=self.fields["type"],
            owner=self.fields["owner_organisation_id"],
            submitter=self.fields["submitter_organisation_id"],
            pack_version=self.fields["pack_version"],
        )

    def first(self, names: tuple[str, ...]) -> str:
        return next((str(self.fields[name]) for name in names if self.fields.get(name)), "")


@dataclass(frozen=True)
class Target:
    """Whom a rule means: an organisation by id, or whoever sits in an agency by its code; only who has the role."""

    organisation_id: str = ""
    agency: str = ""
    role: str = ""

    def __bool__(self) -> bool:
        return bool(self.organisation_id or self.agency or self.role)


def targets(role: str, said: Said, document: Document | None) -> list[Target]:
    """Everybody whom the event names in that role: a visit concerns several agencies."""
    several = said.fields.get("agencies") if role == "agency" else None
    if several:
        return [Target(agency=str(code)) for code in several]
    return [one for one in (target(role, said, document),) if one]


def target(role: str, said: Said, document: Document | None) -> Target:
    """False when the event names nobody in that role."""
    if role == "operator":
        return Target(role=OPERATOR)
    if role == "supervisor":
        agency = said.first(("agency",))
        return Target(agency=agency, role=SUPERVISOR) if agency else Target()
    if role == "agency":
        return Target(agency=said.first(("agency",)))
    if role == "owner":
        return Target(organisation_id=said.first(OWNER_FIELDS) or (document.owner if document else ""))
    return Target(organisation_id=said.first(SUBMITTER_FIELDS) or (document.submitter if document else ""))
