"""Each RPC: message → action → message."""

from typing import Any

from kit import clock, wire
from kit.auth import caller
from kit.database import Database
from kit.errors import Forbidden
from kit.grpc import ANYONE, SERVICE, SIGNED_IN
from kit.pages import limit
from kit.sealing import Sealer
from portolan.identity.v1 import identity_pb2 as pb
from portolan.identity.v1 import identity_pb2_grpc

from identity.actions import applying, invitations, keyring, mandates, organisations, packs, people, revocations
from identity.actions.keyring import Keyring
from identity.actions.passwords import Passwords
from identity.actions.requests import Asked
from identity.actions.tokens import TokenDesk
from identity.actions.vault import Vault
from identity.api import messages
from identity.domain import access
from identity.store import people as people_rows

OPERATOR = frozenset({"operator_admin"})
ADMINISTRATORS = frozenset({"operator_admin", "org_admin"})
MANDATORS = frozenset({"operator_admin", "org_admin", "declarant"})

AUTHORITY: dict[str, frozenset[str]] = {
    "IssueToken": ANYONE,
    "SignIn": ANYONE,
    "ListSigningKeys": ANYONE,
    # Verifiers ask before they can verify anything; it names subjects whose tokens are void, no more.
    "ListRevocations": ANYONE,
    "RotateSigningKey": OPERATOR,
    "SignUp": ANYONE,
    "CheckCompanyNumber": ANYONE,
    "RegisterOrganisation": OPERATOR,
    "GetOrganisation": SIGNED_IN,
    "FindTraders": SERVICE,
    "ListOrganisations": SIGNED_IN,
    "RegisterUser": OPERATOR,
    "ListUsers": ADMINISTRATORS,
    "DismissUser": ADMINISTRATORS,
    "ChangeUserRoles": ADMINISTRATORS,
    "InviteUser": ADMINISTRATORS,
    "ListInvitations": ADMINISTRATORS,
    "RevokeInvitation": ADMINISTRATORS,
    "AcceptInvitation": ANYONE,
    "RegisterClient": ADMINISTRATORS,
    "ListClients": ADMINISTRATORS,
    "RevokeClient": ADMINISTRATORS,
    "ConfirmClient": SIGNED_IN,
    "GrantMandate": MANDATORS,
    "RevokeMandate": MANDATORS,
    "ListMandates": MANDATORS,
    "CheckMandate": SERVICE,
    "ListRecipients": SERVICE,
}


class IdentityApi(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(
        self,
        db: Database,
        vault: Vault,
        sealer: Sealer,
        passwords: Passwords,
        keys: Keyring,
        desk: TokenDesk,
        issuer: str,
        *,
        is_demo: bool,
    ) -> None:
        self._db = db
        self._vault = vault
        self._sealer = sealer
        self._is_demo = is_demo
        self._passwords = passwords
        self._keys = keys
        self._desk = desk
        self._issuer = issuer

    async def IssueToken(self, request: pb.IssueTokenRequest, context: Any) -> pb.IssueTokenResponse:
        return messages.issued(await self._desk.issue_token(request.client_id, request.client_secret, request.scope))

    async def SignIn(self, request: pb.SignInRequest, context: Any) -> pb.SignInResponse:
        return messages.signed_in(await self._desk.sign_in(request.email, request.password))

    async def ListSigningKeys(self, request: pb.ListSigningKeysRequest, context: Any) -> pb.ListSigningKeysResponse:
        found = await self._keys.published()
        keys = map(messages.signing_key, found)
        return pb.ListSigningKeysResponse(keys=keys, issuer=self._issuer, now=wire.timestamp(clock.now()))

    async def RotateSigningKey(self, request: pb.RotateSigningKeyRequest, context: Any) -> pb.RotateSigningKeyResponse:
        key = await keyring.rotate(self._db, self._vault)
        return pb.RotateSigningKeyResponse(key_id=key.id)

    async def ListRevocations(self, request: pb.ListRevocationsRequest, context: Any) -> pb.ListRevocationsResponse:
        async with self._db.connection() as connection:
            found = await revocations.since(connection, request.after_sequence)
        voided = map(messages.revocation, found)
        return pb.ListRevocationsResponse(revocations=voided, now=wire.timestamp(clock.now()))

    async def SignUp(self, request: pb.SignUpRequest, context: Any) -> pb.SignUpResponse:
        await applying.sign_up(self._db, self._sealer, messages.application(request))
        return pb.SignUpResponse()

    async def CheckCompanyNumber(
        self, request: pb.CheckCompanyNumberRequest, context: Any
    ) -> pb.CheckCompanyNumberResponse:
        async with self._db.connection() as connection:
            number = (await packs.rules_in_force(connection)).company_number(request.number)
        return pb.CheckCompanyNumberResponse(valid=number is not None, number=number or "")

    async def RegisterOrganisation(
        self, request: pb.RegisterOrganisationRequest, context: Any
    ) -> pb.RegisterOrganisationResponse:
        wanted = messages.organisation_asked(request.organisation)
        made = await organisations.register(self._db, self._vault, Asked(caller(), request.request_id), wanted)
        return pb.RegisterOrganisationResponse(organisation=messages.organisation(made))

    async def GetOrganisation(self, request: pb.GetOrganisationRequest, context: Any) -> pb.GetOrganisationResponse:
        wanted = messages.reference(request.id, "/id")
        async with self._db.connection() as connection:
            found = await organisations.visible(connection, caller(), wanted)
        return pb.GetOrganisationResponse(organisation=messages.organisation(found))

    async def ListOrganisations(
        self, request: pb.ListOrganisationsRequest, context: Any
    ) -> pb.ListOrganisationsResponse:
        kind, most = messages.reference(request.kind, "/kind"), limit(request.limit)
        after = messages.position(request.cursor, kind=kind)
        async with self._db.connection() as connection:
            found = await organisations.page(connection, caller(), kind=kind, after=after, limit=most)
        cursor = messages.next_cursor([one.id for one in found], most, kind=kind)
        return pb.ListOrganisationsResponse(organisations=map(messages.organisation, found), next_cursor=cursor)

    async def FindTraders(self, request: pb.FindTradersRequest, context: Any) -> pb.FindTradersResponse:
        number = messages.reference(request.company_number, "/company_number")
        async with self._db.connection() as connection:
            found = await organisations.traders(connection, number)
        return pb.FindTradersResponse(organisations=map(messages.organisation, found))

    async def RegisterUser(self, request: pb.RegisterUserRequest, context: Any) -> pb.RegisterUserResponse:
        if not self._is_demo:
            raise Forbidden("FORBIDDEN", "a person is invited and chooses the own password")
        asked, wanted = Asked(caller(), request.request_id), messages.user_asked(request.user)
        made = await people.register_user(self._db, self._vault, self._passwords, asked, wanted, request.password)
        return pb.RegisterUserResponse(user=messages.user(made))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Any) -> pb.ListUsersResponse:
        organisation_id, most = self._organisation(request.organisation_id), limit(request.limit)
        access.require_management(caller(), organisation_id)
        after = messages.position(request.cursor, organisation_id=organisation_id)
        async with self._db.connection() as connection:
            found = await people_rows.users_page(connection, organisation_id, after=after, limit=most)
        cursor = messages.next_cursor([one.id for one in found], most, organisation_id=organisation_id)
        return pb.ListUsersResponse(users=map(messages.user, found), next_cursor=cursor)

    async def DismissUser(self, request: pb.DismissUserRequest, context: Any) -> pb.DismissUserResponse:
        organisation_id, user_id = self._member(request.organisation_id, request.user_id)
        dismissed = await people.dismiss_user(self._db, caller(), organisation_id, user_id)
        return pb.DismissUserResponse(user=messages.user(dismissed))

    async def ChangeUserRoles(self, request: pb.ChangeUserRolesRequest, context: Any) -> pb.ChangeUserRolesResponse:
        organisation_id, user_id = self._member(request.organisation_id, request.user_id)
        changed = await people.change_roles(self._db, caller(), organisation_id, user_id, tuple(request.roles))
        return pb.ChangeUserRolesResponse(user=messages.user(changed))

    async def InviteUser(self, request: pb.InviteUserRequest, context: Any) -> pb.InviteUserResponse:
        asked, wanted = Asked(caller(), request.request_id), messages.user_asked(request.invitation)
        sent = await invitations.invite(self._db, self._vault, self._sealer, asked, wanted)
        return pb.InviteUserResponse(invitation=messages.invitation(sent))

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Any) -> pb.ListInvitationsResponse:
        organisation_id, most = self._organisation(request.organisation_id), limit(request.limit)
        after = messages.position(request.cursor, organisation_id=organisation_id)
        async with self._db.connection() as connection:
            found = await invitations.page(connection, caller(), organisation_id, after=after, limit=most)
        cursor = messages.next_cursor([one.id for one in found], most, organisation_id=organisation_id)
        return pb.ListInvitationsResponse(invitations=map(messages.invitation, found), next_cursor=cursor)

    async def RevokeInvitation(self, request: pb.RevokeInvitationRequest, context: Any) -> pb.RevokeInvitationResponse:
        organisation_id, invitation_id = self._member(request.organisation_id, request.id)
        revoked = await invitations.revoke(self._db, caller(), organisation_id, invitation_id)
        return pb.RevokeInvitationResponse(invitation=messages.invitation(revoked))

    async def AcceptInvitation(self, request: pb.AcceptInvitationRequest, context: Any) -> pb.AcceptInvitationResponse:
        joined = await invitations.accept(self._db, self._passwords, request.token, request.password)
        return pb.AcceptInvitationResponse(user=messages.user(joined))

    async def ConfirmClient(self, request: pb.ConfirmClientRequest, context: Any) -> pb.ConfirmClientResponse:
        confirmed = await people.confirm_client(self._db, caller(), messages.reference(request.id, "/id"))
        return pb.ConfirmClientResponse(client=messages.client(confirmed))

    async def RegisterClient(self, request: pb.RegisterClientRequest, context: Any) -> pb.RegisterClientResponse:
        asked, wanted = Asked(caller(), request.request_id), messages.client_asked(request.client)
        return messages.new_client(await people.register_client(self._db, self._vault, asked, wanted))

    async def ListClients(self, request: pb.ListClientsRequest, context: Any) -> pb.ListClientsResponse:
        organisation_id, most = self._organisation(request.organisation_id), limit(request.limit)
        access.require_management(caller(), organisation_id)
        after = messages.position(request.cursor, organisation_id=organisation_id)
        async with self._db.connection() as connection:
            found = await people_rows.clients_page(connection, organisation_id, after=after, limit=most)
        cursor = messages.next_cursor([one.id for one in found], most, organisation_id=organisation_id)
        return pb.ListClientsResponse(clients=map(messages.client, found), next_cursor=cursor)

    async def RevokeClient(self, request: pb.RevokeClientRequest, context: Any) -> pb.RevokeClientResponse:
        revoked = await people.revoke_client(self._db, caller(), messages.reference(request.id, "/id"))
        return pb.RevokeClientResponse(client=messages.client(revoked))

    async def GrantMandate(self, request: pb.GrantMandateRequest, context: Any) -> pb.GrantMandateResponse:
        asked, wanted = Asked(caller(), request.request_id), messages.mandate_asked(request.mandate)
        granted = await mandates.grant(self._db, self._vault, asked, wanted)
        return pb.GrantMandateResponse(mandate=messages.mandate(granted))

    async def RevokeMandate(self, request: pb.RevokeMandateRequest, context: Any) -> pb.RevokeMandateResponse:
        principal_id = messages.reference(request.principal_organisation_id, "/principal_organisation_id")
        mandate_id = messages.reference(request.id, "/id")
        revoked = await mandates.revoke(self._db, caller(), principal_id, mandate_id)
        return pb.RevokeMandateResponse(mandate=messages.mandate(revoked))

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        organisation_id, most = self._organisation(request.organisation_id), limit(request.limit)
        after = messages.position(request.cursor, organisation_id=organisation_id)
        async with self._db.connection() as connection:
            found = await mandates.page(connection, caller(), organisation_id, after=after, limit=most)
        cursor = messages.next_cursor([one.id for one in found], most, organisation_id=organisation_id)
        return pb.ListMandatesResponse(mandates=map(messages.mandate, found), next_cursor=cursor)

    async def CheckMandate(self, request: pb.CheckMandateRequest, context: Any) -> pb.CheckMandateResponse:
        principal_id = messages.reference(request.principal_organisation_id, "/principal_organisation_id")
        agent_id = messages.reference(request.agent_organisation_id, "/agent_organisation_id")
        async with self._db.connection() as connection:
            verdict = await mandates.check(connection, principal_id, agent_id, request.power, request.document_type)
        return messages.verdict(verdict)

    async def ListRecipients(self, request: pb.ListRecipientsRequest, context: Any) -> pb.ListRecipientsResponse:
        organisation_id = messages.reference(request.organisation_id, "/organisation_id")
        agency_code = messages.reference(request.agency_code, "/agency_code")
        role = messages.reference(request.role, "/role")
        async with self._db.connection() as connection:
            found = await people.recipients(connection, organisation_id, agency_code, role)
        return pb.ListRecipientsResponse(recipients=map(messages.recipient, found))

    def _member(self, organisation_id: str, one: str) -> tuple[str, str]:
        return messages.reference(organisation_id, "/organisation_id"), messages.reference(one, "/id")

    def _organisation(self, asked: str) -> str:
        """The caller's own when none is named."""
        return messages.reference(asked, "/organisation_id") or caller().organisation_id
