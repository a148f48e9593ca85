"""Organisations, and the people and machines that act for them."""

from __future__ import annotations

from typing import Any

from kit import pages
from kit.errors import NotFound
from portolan.identity.v1 import identity_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, Paged
from gateway.shapes.people import (
    Client,
    NewClient,
    NewOrganisation,
    NewUser,
    Organisation,
    OrganisationFilter,
    RegisteredClient,
    User,
    client,
    organisation,
    registered_client,
    user,
)


async def register_organisation(call: Call, body: NewOrganisation) -> Response:
    wanted = identity_pb2.Organisation(
        name=body.name,
        kind=body.kind,
        company_number=body.company_number,
        agency_code=body.agency_code,
        language=body.language,
        billing_mode=body.billing_mode,
        attributes=body.attributes,
    )
    request = identity_pb2.RegisterOrganisationRequest(request_id=call.request_id(), organisation=wanted)
    reply = await call.ask(call.up.identity.RegisterOrganisation, request)
    made = reply.organisation
    return answered(organisation(made), 201, {"location": f"/v1/organisations/{made.id}"})


async def list_organisations(call: Call, query: OrganisationFilter) -> Response:
    request = identity_pb2.ListOrganisationsRequest(kind=query.kind, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.identity.ListOrganisations, request)
    return answered(Page([organisation(one) for one in reply.organisations], reply.next_cursor or None))


async def get_organisation(call: Call, organisation_id: str) -> Response:
    request = identity_pb2.GetOrganisationRequest(id=organisation_id)
    reply = await call.ask(call.up.identity.GetOrganisation, request)
    return answered(organisation(reply.organisation))


async def register_user(call: Call, organisation_id: str, body: NewUser) -> Response:
    wanted = identity_pb2.User(
        organisation_id=organisation_id, email=body.email, name=body.name, language=body.language, roles=body.roles
    )
    request = identity_pb2.RegisterUserRequest(request_id=call.request_id(), user=wanted, password=body.password)
    reply = await call.ask(call.up.identity.RegisterUser, request)
    return answered(user(reply.user), 201)


async def list_users(call: Call, organisation_id: str, query: Paged) -> Response:
    request = identity_pb2.ListUsersRequest(organisation_id=organisation_id, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.identity.ListUsers, request)
    return answered(Page([user(one) for one in reply.users], reply.next_cursor or None))


async def register_client(call: Call, organisation_id: str, body: NewClient) -> Response:
    wanted = identity_pb2.Client(
        organisation_id=organisation_id,
        name=body.name,
        roles=body.roles,
        responsible_user_id=body.responsible_user_id,
    )
    request = identity_pb2.RegisterClientRequest(request_id=call.request_id(), client=wanted)
    reply = await call.ask(call.up.identity.RegisterClient, request)
    return answered(registered_client(reply), 201)


async def list_clients(call: Call, organisation_id: str, query: Paged) -> Response:
    reply = await _clients(call, organisation_id, query.cursor, query.size)
    return answered(Page([client(one) for one in reply.clients], reply.next_cursor or None))


async def revoke_client(call: Call, organisation_id: str, client_id: str) -> Response:
    await _require_client_of(call, organisation_id, client_id)
    reply = await call.ask(call.up.identity.RevokeClient, identity_pb2.RevokeClientRequest(id=client_id))
    return answered(client(reply.client))


async def _require_client_of(call: Call, organisation_id: str, client_id: str) -> None:
    """Raises NotFound when the path names a client of somebody else."""
    cursor = ""
    while True:
        reply = await _clients(call, organisation_id, cursor, pages.LIMIT_MAX)
        if any(one.id == client_id for one in reply.clients):
            return
        if not (cursor := reply.next_cursor):
            raise NotFound("NOT_FOUND", "no such client")


async def _clients(call: Call, organisation_id: str, cursor: str, limit: int) -> identity_pb2.ListClientsResponse:
    request = identity_pb2.ListClientsRequest(organisation_id=organisation_id, cursor=cursor, limit=limit)
    return await call.ask(call.up.identity.ListClients, request)


_MADE: dict[str, Any] = {"status": 201, "tag": "organisations", "request_headers": ("Idempotency-Key?",)}
_ALL = "/v1/organisations"
_ONE = "/v1/organisations/{organisation_id}"

OPERATIONS = (
    Operation(
        *("POST", _ALL, register_organisation, "Register an organisation"),
        answer=Organisation,
        answer_headers=("Location",),
        **_MADE,
    ),
    Operation(
        *("GET", _ALL, list_organisations, "Organisations the caller may see"),
        answer=Page[Organisation],
        tag="organisations",
    ),
    Operation("GET", _ONE, get_organisation, "An organisation", answer=Organisation, tag="organisations"),
    Operation("POST", f"{_ONE}/users", register_user, "Register a person", answer=User, **_MADE),
    Operation("GET", f"{_ONE}/users", list_users, "Its people", answer=Page[User], tag="organisations"),
    Operation(
        *("POST", f"{_ONE}/clients", register_client, "Register a machine client; its secret is shown once"),
        answer=RegisteredClient,
        **_MADE,
    ),
    Operation("GET", f"{_ONE}/clients", list_clients, "Its machines", answer=Page[Client], tag="organisations"),
    Operation(
        *("POST", f"{_ONE}/clients/{{client_id}}:revoke", revoke_client, "Void a machine client and its tokens"),
        answer=Client,
        tag="organisations",
    ),
)
