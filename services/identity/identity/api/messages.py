"""Messages to values and back."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from kit import clock, pages, wire
from kit.errors import Invalid, Violation
from portolan.identity.v1 import identity_pb2 as pb

from identity.actions.mandates import Verdict
from identity.actions.people import NewClient
from identity.domain.applications import Application
from identity.domain.invitations import Invitation
from identity.domain.keys import SigningKey
from identity.domain.mandates import Mandate, Wish
from identity.domain.organisations import Organisation
from identity.domain.people import Client, User
from identity.domain.tokens import AccessToken
from identity.store.revocations import Revocation

ID_CHARS_MAX = 128


def reference(text: str, pointer: str) -> str:
    """An id, a code or a kind as a caller names it: never what the database could not even compare."""
    if len(text) > ID_CHARS_MAX or not text.isprintable():
        message = f"at most {ID_CHARS_MAX} printable characters"
        raise Invalid("INVALID_REQUEST", message, violations=[Violation(pointer, "REFERENCE", message)])
    return text


def moment_or_none(stamp: Timestamp, pointer: str) -> datetime | None:
    try:
        return wire.moment_or_none(stamp)
    except (ValueError, OverflowError) as error:
        message = "not a date between the years 1 and 9999"
        raise Invalid("INVALID_REQUEST", message, violations=[Violation(pointer, "DATE", message)]) from error


def position(cursor: str, **filters: str) -> str:
    """The id after which the page begins."""
    found = pages.decode(cursor, filters, tuple[str])
    return "" if found is None else str(found[0])


def next_cursor(given: list[str], limit: int, **filters: str) -> str:
    """`given` are the ids of the page; one that is not full is the last."""
    return pages.encode(filters, [given[-1]]) if len(given) == limit else ""


def organisation_asked(message: pb.Organisation) -> Organisation:
    return Organisation(
        id="",
        name=message.name,
        kind=message.kind,
        company_number=message.company_number,
        agency_code=message.agency_code,
        language=message.language,
        billing_mode=message.billing_mode or "occasional",
        attributes=tuple(message.attributes),
        activated_at=clock.now(),
    )


def organisation(value: Organisation) -> pb.Organisation:
    return pb.Organisation(
        id=value.id,
        name=value.name,
        kind=value.kind,
        company_number=value.company_number,
        agency_code=value.agency_code,
        language=value.language,
        billing_mode=value.billing_mode,
        attributes=value.attributes,
        activated_at=wire.timestamp(value.activated_at),
        state=value.state,
    )


def application(message: pb.SignUpRequest) -> Application:
    return Application(
        company_number=message.company_number,
        kind=message.kind,
        company_name=message.company_name,
        language=message.language,
        email=message.email,
        person_name=message.person_name,
    )


def user_asked(message: pb.User | pb.Invitation) -> User:
    return User(
        id="",
        organisation_id=reference(message.organisation_id, "/organisation_id"),
        email=message.email,
        name=message.name,
        language=message.language,
        roles=tuple(message.roles),
    )


def user(value: User) -> pb.User:
    return pb.User(
        id=value.id,
        organisation_id=value.organisation_id,
        email=value.email,
        name=value.name,
        language=value.language,
        roles=value.roles,
        dismissed_at=wire.timestamp(value.dismissed_at),
    )


def invitation(value: Invitation) -> pb.Invitation:
    return pb.Invitation(
        id=value.id,
        organisation_id=value.organisation_id,
        email=value.email,
        name=value.name,
        language=value.language,
        roles=value.roles,
        invited_at=wire.timestamp(value.invited_at),
        expires_at=wire.timestamp(value.expires_at),
        state=value.state(clock.now()),
    )


def client_asked(message: pb.Client) -> Client:
    return Client(
        id="",
        organisation_id=reference(message.organisation_id, "/organisation_id"),
        name=message.name,
        roles=tuple(message.roles),
        responsible_user_id=reference(message.responsible_user_id, "/responsible_user_id"),
    )


def client(value: Client) -> pb.Client:
    return pb.Client(
        id=value.id,
        organisation_id=value.organisation_id,
        name=value.name,
        roles=value.roles,
        responsible_user_id=value.responsible_user_id,
        revoked_at=wire.timestamp(value.revoked_at),
        confirmed_at=wire.timestamp(value.confirmed_at),
        awaits_confirmation=value.awaits_confirmation,
    )


def new_client(value: NewClient) -> pb.RegisterClientResponse:
    return pb.RegisterClientResponse(client=client(value.client), client_secret=value.secret)


def mandate_asked(message: pb.Mandate) -> Wish:
    return Wish(
        principal_organisation_id=reference(message.principal_organisation_id, "/principal_organisation_id"),
        agent_organisation_id=reference(message.agent_organisation_id, "/agent_organisation_id"),
        powers=tuple(message.powers),
        document_types=tuple(message.document_types),
        valid_from=moment_or_none(message.valid_from, "/valid_from"),
        valid_to=moment_or_none(message.valid_to, "/valid_to"),
    )


def mandate(value: Mandate) -> pb.Mandate:
    return pb.Mandate(
        id=value.id,
        principal_organisation_id=value.principal_organisation_id,
        agent_organisation_id=value.agent_organisation_id,
        powers=value.powers,
        document_types=value.document_types,
        valid_from=wire.timestamp(value.valid_from),
        valid_to=wire.timestamp(value.valid_to),
        granted_at=wire.timestamp(value.granted_at),
        revoked_at=wire.timestamp(value.revoked_at),
    )


def issued(token: AccessToken) -> pb.IssueTokenResponse:
    return pb.IssueTokenResponse(
        access_token=token.text, expires_in_seconds=token.expires_in_seconds, scope=token.scope
    )


def signed_in(token: AccessToken) -> pb.SignInResponse:
    return pb.SignInResponse(access_token=token.text, expires_in_seconds=token.expires_in_seconds, scope=token.scope)


def signing_key(key: SigningKey) -> pb.SigningKey:
    return pb.SigningKey(key_id=key.id, jwk_json=key.public_jwk, retires_at=wire.timestamp(key.retires_at))


def revocation(value: Revocation) -> pb.Revocation:
    return pb.Revocation(sequence=value.sequence, subject=value.subject, revoked_at=wire.timestamp(value.revoked_at))


def recipient(value: User) -> pb.Recipient:
    return pb.Recipient(
        id=value.id,
        organisation_id=value.organisation_id,
        email=value.email,
        name=value.name,
        language=value.language,
    )


def verdict(value: Verdict) -> pb.CheckMandateResponse:
    if value.mandate is None or value.principal is None:
        return pb.CheckMandateResponse(allowed=False)
    return pb.CheckMandateResponse(allowed=True, mandate_id=value.mandate.id, principal=organisation(value.principal))
