"""Organisations, the people and machines that act for them, and the mandates between them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.identity.v1 import identity_pb2

from gateway.shapes.common import Code, Key, Moment, MomentIn, Name, Paged, Word, certain_moment, moment

Kind = Literal["importer", "exporter", "broker", "bank", "agency", "customs", "finance", "operator"]
Role = Literal[
    "declarant",
    "org_admin",
    "agency_officer",
    "bank_officer",
    "customs_officer",
    "finance_officer",
    "operator_admin",
    "applicant",
    "rules_officer",
]
Power = Literal["file", "amend", "withdraw", "pay"]
Roles = Annotated[list[Role], msgspec.Meta(min_length=1, max_length=10)]
Words = Annotated[list[Word], msgspec.Meta(max_length=20)]


class Organisation(msgspec.Struct, kw_only=True):
    id: str
    name: str
    kind: str
    company_number: str | None
    agency_code: str | None
    language: str
    billing_mode: str | None
    attributes: list[str]
    activated_at: Moment | None
    # APPLICANT, ACTIVE or REFUSED.
    state: str


class SignUp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A company that asks to come in, and the person who will file its application."""

    company_number: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    kind: Literal["importer", "exporter", "broker"]
    company_name: Name
    email: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    person_name: Name
    language: Word


class SignUpReceived(msgspec.Struct):
    """Whoever reads the address goes on from the letter."""

    status: Literal["received"] = "received"


class CompanyNumberCheck(msgspec.Struct):
    """Whether such a number can exist, and how it is written; not whether anybody has it."""

    valid: bool
    number: str | None


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    kind: Kind
    language: Word
    company_number: Word = ""
    agency_code: Word = ""
    billing_mode: Literal["subscriber", "occasional"] = "occasional"
    attributes: Words = []


class OrganisationFilter(Paged, kw_only=True):
    kind: Code = ""


class User(msgspec.Struct):
    id: str
    organisation_id: str
    email: str
    name: str
    language: str
    roles: list[str]
    dismissed_at: Moment | None


class NewUser(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    email: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    name: Name
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    language: Word
    roles: Roles


class RolesGiven(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    roles: Roles


class Invitation(msgspec.Struct):
    """`state`: OPEN, ACCEPTED, REVOKED, REPLACED by a later one, or EXPIRED."""

    id: str
    organisation_id: str
    email: str
    name: str
    language: str
    roles: list[str]
    invited_at: Moment
    expires_at: Moment
    state: str


class NewInvitation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    email: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    name: Name
    language: Word
    roles: Roles


class Acceptance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`token` came by letter; the password is the person's own choice."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Client(msgspec.Struct):
    """It gets no token while it awaits confirmation: its roles sign, in the name of a person who must agree."""

    id: str
    organisation_id: str
    name: str
    roles: list[str]
    responsible_user_id: str | None
    revoked_at: Moment | None
    confirmed_at: Moment | None
    awaits_confirmation: bool


class RegisteredClient(msgspec.Struct):
    """`client_secret` is shown once: it is null when the request is a repetition."""

    id: str
    client_id: str
    client_secret: str | None
    organisation_id: str
    name: str
    roles: list[str]
    responsible_user_id: str | None
    revoked_at: Moment | None
    confirmed_at: Moment | None
    awaits_confirmation: bool


class NewClient(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    roles: Roles
    responsible_user_id: Word = ""


class Mandate(msgspec.Struct, kw_only=True):
    """`document_types` empty: every type."""

    id: str
    principal_organisation_id: str
    agent_organisation_id: str
    powers: list[str]
    document_types: list[str]
    valid_from: Moment | None
    valid_to: Moment | None
    granted_at: Moment | None
    revoked_at: Moment | None


class NewMandate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    agent_organisation_id: Key
    powers: Annotated[list[Power], msgspec.Meta(min_length=1, max_length=10)]
    document_types: Words = []
    valid_from: MomentIn | None = None
    valid_to: MomentIn | None = None


def organisation(given: identity_pb2.Organisation) -> Organisation:
    return Organisation(
        id=given.id,
        name=given.name,
        kind=given.kind,
        company_number=given.company_number or None,
        agency_code=given.agency_code or None,
        language=given.language,
        billing_mode=given.billing_mode or None,
        attributes=list(given.attributes),
        activated_at=moment(given.activated_at),
        state=given.state,
    )


def user(given: identity_pb2.User) -> User:
    return User(
        id=given.id,
        organisation_id=given.organisation_id,
        email=given.email,
        name=given.name,
        language=given.language,
        roles=list(given.roles),
        dismissed_at=moment(given.dismissed_at),
    )


def invitation(given: identity_pb2.Invitation) -> Invitation:
    return Invitation(
        id=given.id,
        organisation_id=given.organisation_id,
        email=given.email,
        name=given.name,
        language=given.language,
        roles=list(given.roles),
        invited_at=certain_moment(given.invited_at),
        expires_at=certain_moment(given.expires_at),
        state=given.state,
    )


def client(given: identity_pb2.Client) -> Client:
    return Client(
        id=given.id,
        organisation_id=given.organisation_id,
        name=given.name,
        roles=list(given.roles),
        responsible_user_id=given.responsible_user_id or None,
        revoked_at=moment(given.revoked_at),
        confirmed_at=moment(given.confirmed_at),
        awaits_confirmation=given.awaits_confirmation,
    )


def registered_client(given: identity_pb2.RegisterClientResponse) -> RegisteredClient:
    made = given.client
    return RegisteredClient(
        id=made.id,
        client_id=made.id,
        client_secret=given.client_secret or None,
        organisation_id=made.organisation_id,
        name=made.name,
        roles=list(made.roles),
        responsible_user_id=made.responsible_user_id or None,
        revoked_at=moment(made.revoked_at),
        confirmed_at=moment(made.confirmed_at),
        awaits_confirmation=made.awaits_confirmation,
    )


def mandate(given: identity_pb2.Mandate) -> Mandate:
    return Mandate(
        id=given.id,
        principal_organisation_id=given.principal_organisation_id,
        agent_organisation_id=given.agent_organisation_id,
        powers=list(given.powers),
        document_types=list(given.document_types),
        valid_from=moment(given.valid_from),
        valid_to=moment(given.valid_to),
        granted_at=moment(given.granted_at),
        revoked_at=moment(given.revoked_at),
    )
