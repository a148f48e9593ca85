"""How people join an organisation, what they may do there, and how they leave it."""

from __future__ import annotations

from portolan.identity.v1 import identity_pb2
from starlette.responses import Response

from gateway import rates
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, Paged
from gateway.shapes.people import (
    Acceptance,
    Client,
    Invitation,
    NewInvitation,
    RolesGiven,
    User,
    client,
    invitation,
    user,
)


async def invite_user(call: Call, organisation_id: str, body: NewInvitation) -> Response:
    wanted = identity_pb2.Invitation(
        organisation_id=organisation_id, email=body.email, name=body.name, language=body.language, roles=body.roles
    )
    request = identity_pb2.InviteUserRequest(request_id=call.request_id(), invitation=wanted)
    reply = await call.ask(call.up.identity.InviteUser, request)
    return answered(invitation(reply.invitation), 201)


async def list_invitations(call: Call, organisation_id: str, query: Paged) -> Response:
    request = identity_pb2.ListInvitationsRequest(
        organisation_id=organisation_id, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.identity.ListInvitations, request)
    return answered(Page([invitation(one) for one in reply.invitations], reply.next_cursor or None))


async def revoke_invitation(call: Call, organisation_id: str, invitation_id: str) -> Response:
    request = identity_pb2.RevokeInvitationRequest(organisation_id=organisation_id, id=invitation_id)
    reply = await call.ask(call.up.identity.RevokeInvitation, request)
    return answered(invitation(reply.invitation))


async def accept_invitation(call: Call, body: Acceptance) -> Response:
    request = identity_pb2.AcceptInvitationRequest(token=body.token, password=body.password)
    reply = await call.ask(call.up.identity.AcceptInvitation, request)
    return answered(user(reply.user), 201)


async def dismiss_user(call: Call, organisation_id: str, user_id: str) -> Response:
    request = identity_pb2.DismissUserRequest(organisation_id=organisation_id, user_id=user_id)
    reply = await call.ask(call.up.identity.DismissUser, request)
    return answered(user(reply.user))


async def change_user_roles(call: Call, organisation_id: str, user_id: str, body: RolesGiven) -> Response:
    request = identity_pb2.ChangeUserRolesRequest(organisation_id=organisation_id, user_id=user_id, roles=body.roles)
    reply = await call.ask(call.up.identity.ChangeUserRoles, request)
    return answered(user(reply.user))


async def confirm_client(call: Call, client_id: str) -> Response:
    reply = await call.ask(call.up.identity.ConfirmClient, identity_pb2.ConfirmClientRequest(id=client_id))
    return answered(client(reply.client))


_ONE = "/v1/organisations/{organisation_id}"

OPERATIONS = (
    Operation(
        *("POST", f"{_ONE}/invitations", invite_user, "Invite a person, by a letter with a one-time token"),
        answer=Invitation,
        status=201,
        tag="people",
        request_headers=("Idempotency-Key?",),
    ),
    Operation("GET", f"{_ONE}/invitations", list_invitations, "Its invitations", answer=Page[Invitation], tag="people"),
    Operation(
        *("POST", f"{_ONE}/invitations/{{invitation_id}}:revoke", revoke_invitation, "Void an invitation"),
        answer=Invitation,
        tag="people",
    ),
    Operation(
        *("POST", "/v1/invitations:accept", accept_invitation, "Join, with the token that came and a password"),
        answer=User,
        status=201,
        tag="people",
        rate_class=rates.SIGN_INS,
    ),
    Operation(
        *("POST", f"{_ONE}/users/{{user_id}}:dismiss", dismiss_user, "A person leaves; tokens and machines are void"),
        answer=User,
        tag="people",
    ),
    Operation(
        *("PUT", f"{_ONE}/users/{{user_id}}/roles", change_user_roles, "What a person may do"),
        answer=User,
        tag="people",
    ),
    Operation(
        *("POST", "/v1/clients/{client_id}:confirm", confirm_client, "Agree to answer for a machine"),
        answer=Client,
        tag="people",
    ),
)
