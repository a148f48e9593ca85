"""What identity says on its topic, keyed by the organisation it is about."""

from datetime import datetime

from google.protobuf.message import Message
from kit import outbox, wire
from kit.database import Tx
from portolan.identity.v1 import events_pb2

from identity.domain.invitations import Invitation
from identity.domain.mandates import Mandate
from identity.domain.organisations import Organisation
from identity.domain.people import Client, User

TOPIC = "portolan.identity.organisation.v1"


async def organisation_activated(tx: Tx, organisation: Organisation) -> None:
    message = events_pb2.OrganisationActivated(
        organisation_id=organisation.id,
        kind=organisation.kind,
        agency_code=organisation.agency_code,
        language=organisation.language,
        billing_mode=organisation.billing_mode,
        attributes=organisation.attributes,
        activated_at=wire.timestamp(organisation.activated_at),
    )
    await _say(tx, organisation.id, message)


async def mandate_granted(tx: Tx, mandate: Mandate) -> None:
    message = events_pb2.MandateGranted(
        mandate_id=mandate.id,
        principal_organisation_id=mandate.principal_organisation_id,
        agent_organisation_id=mandate.agent_organisation_id,
        powers=mandate.powers,
        document_types=mandate.document_types,
        valid_from=wire.timestamp(mandate.valid_from),
        valid_to=wire.timestamp(mandate.valid_to),
        granted_at=wire.timestamp(mandate.granted_at),
    )
    await _say(tx, mandate.principal_organisation_id, message)


async def mandate_revoked(tx: Tx, mandate: Mandate) -> None:
    message = events_pb2.MandateRevoked(
        mandate_id=mandate.id,
        principal_organisation_id=mandate.principal_organisation_id,
        agent_organisation_id=mandate.agent_organisation_id,
        revoked_at=wire.timestamp(mandate.revoked_at),
    )
    await _say(tx, mandate.principal_organisation_id, message)


async def client_revoked(tx: Tx, client: Client, at: datetime) -> None:
    message = events_pb2.ClientRevoked(
        client_id=client.id, organisation_id=client.organisation_id, revoked_at=wire.timestamp(at)
    )
    await _say(tx, client.organisation_id, message)


async def person_invited(tx: Tx, organisation: Organisation, invitation: Invitation, sealed_token: str) -> None:
    message = events_pb2.PersonInvited(
        organisation_id=organisation.id,
        organisation_name=organisation.name,
        recipient_id=invitation.id,
        email=invitation.email,
        person_name=invitation.name,
        language=invitation.language,
        expires_at=wire.timestamp(invitation.expires_at),
        sealed_token=sealed_token,
    )
    await _say(tx, organisation.id, message)


async def client_awaits_confirmation(tx: Tx, organisation: Organisation, client: Client, person: User) -> None:
    message = events_pb2.ClientAwaitsConfirmation(
        organisation_id=organisation.id,
        organisation_name=organisation.name,
        recipient_id=person.id,
        email=person.email,
        person_name=person.name,
        language=person.language,
        client_id=client.id,
    )
    await _say(tx, organisation.id, message)


async def _say(tx: Tx, organisation_id: str, message: Message) -> None:
    await outbox.append(tx, topic=TOPIC, key=organisation_id, message=message)
