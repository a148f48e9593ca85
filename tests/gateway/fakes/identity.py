"""Identity as the gateway sees it."""

from __future__ import annotations

from typing import Any

from kit import errors
from kit.testing import TokenMint
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc

from tests.gateway.builders import (
    STAMP,
)


def an_invitation(invitation_id: str) -> identity_pb2.Invitation:
    return identity_pb2.Invitation(id=invitation_id, invited_at=STAMP, expires_at=STAMP, state="OPEN")


class FakeIdentity(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(self, mint: TokenMint) -> None:
        self._mint = mint
        self.forget()

    def forget(self) -> None:
        self.request_ids: list[str] = []

    async def IssueToken(self, request: Any, context: Any) -> Any:
        if request.client_secret != "right":
            raise errors.Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret")
        return identity_pb2.IssueTokenResponse(access_token="t", expires_in_seconds=300, scope="declarant")

    async def SignIn(self, request: Any, context: Any) -> Any:
        if request.password != "right":
            raise errors.Unauthenticated("UNAUTHENTICATED", "unknown address, or wrong password")
        return identity_pb2.SignInResponse(access_token="t", expires_in_seconds=300, scope="")

    async def ListSigningKeys(self, request: Any, context: Any) -> Any:
        keys = await self._mint.keys()
        shown = [identity_pb2.SigningKey(key_id=name, jwk_json=jwk) for name, jwk in keys.items()]
        return identity_pb2.ListSigningKeysResponse(keys=shown, issuer="test")

    async def ListRevocations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListRevocationsResponse()

    async def RotateSigningKey(self, request: Any, context: Any) -> Any:
        return identity_pb2.RotateSigningKeyResponse(key_id="next")

    async def SignUp(self, request: Any, context: Any) -> Any:
        return identity_pb2.SignUpResponse()

    async def CheckCompanyNumber(self, request: Any, context: Any) -> Any:
        return identity_pb2.CheckCompanyNumberResponse(valid=True, number=request.number)

    async def RegisterOrganisation(self, request: Any, context: Any) -> Any:
        self.request_ids.append(request.request_id)
        request.organisation.id = "org-new"
        return identity_pb2.RegisterOrganisationResponse(organisation=request.organisation)

    async def GetOrganisation(self, request: Any, context: Any) -> Any:
        return identity_pb2.GetOrganisationResponse(organisation=identity_pb2.Organisation(id=request.id))

    async def FindTraders(self, request: Any, context: Any) -> Any:
        return identity_pb2.FindTradersResponse()

    async def ListOrganisations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListOrganisationsResponse(organisations=[identity_pb2.Organisation(id="org-a")])

    async def RegisterUser(self, request: Any, context: Any) -> Any:
        request.user.id = "u-1"
        return identity_pb2.RegisterUserResponse(user=request.user)

    async def ListUsers(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListUsersResponse(users=[identity_pb2.User(id="u-1")])

    async def DismissUser(self, request: Any, context: Any) -> Any:
        return identity_pb2.DismissUserResponse(user=identity_pb2.User(id=request.user_id, dismissed_at=STAMP))

    async def ChangeUserRoles(self, request: Any, context: Any) -> Any:
        return identity_pb2.ChangeUserRolesResponse(user=identity_pb2.User(id=request.user_id, roles=request.roles))

    async def InviteUser(self, request: Any, context: Any) -> Any:
        return identity_pb2.InviteUserResponse(invitation=an_invitation("i-1"))

    async def ListInvitations(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListInvitationsResponse(invitations=[an_invitation("i-1")])

    async def RevokeInvitation(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeInvitationResponse(invitation=an_invitation(request.id))

    async def AcceptInvitation(self, request: Any, context: Any) -> Any:
        return identity_pb2.AcceptInvitationResponse(user=identity_pb2.User(id="u-1"))

    async def ConfirmClient(self, request: Any, context: Any) -> Any:
        return identity_pb2.ConfirmClientResponse(client=identity_pb2.Client(id=request.id, confirmed_at=STAMP))

    async def RegisterClient(self, request: Any, context: Any) -> Any:
        request.client.id = "c-1"
        return identity_pb2.RegisterClientResponse(client=request.client, client_secret="shown once")

    async def ListClients(self, request: Any, context: Any) -> Any:
        """Two pages, so that whoever looks for one must turn one."""
        name, following = ("c-1", "2") if not request.cursor else ("c-2", "")
        client = identity_pb2.Client(id=name, organisation_id=request.organisation_id)
        return identity_pb2.ListClientsResponse(clients=[client], next_cursor=following)

    async def RevokeClient(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeClientResponse(client=identity_pb2.Client(id=request.id, revoked_at=STAMP))

    async def GrantMandate(self, request: Any, context: Any) -> Any:
        request.mandate.id = "m-1"
        return identity_pb2.GrantMandateResponse(mandate=request.mandate)

    async def RevokeMandate(self, request: Any, context: Any) -> Any:
        return identity_pb2.RevokeMandateResponse(mandate=identity_pb2.Mandate(id=request.id, revoked_at=STAMP))

    async def ListMandates(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListMandatesResponse(mandates=[identity_pb2.Mandate(id="m-1")])

    async def CheckMandate(self, request: Any, context: Any) -> Any:
        return identity_pb2.CheckMandateResponse()

    async def ListRecipients(self, request: Any, context: Any) -> Any:
        return identity_pb2.ListRecipientsResponse()
