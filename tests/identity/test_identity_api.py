"""The service as others meet it: over gRPC, by what the caller's token says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from identity import main
from identity.actions.bootstrap import bootstrap
from identity.api import AUTHORITY
from identity.settings import Settings
from kit import ids
from kit.auth import Principal, TokenVerifier
from kit.database import Database
from kit.errors import Forbidden, Invalid, Malformed, NotFound, PortolanError, Unauthenticated
from kit.grpc import call, channel
from kit.testing import TokenMint, a_principal
from portolan.identity.v1 import identity_pb2 as pb
from portolan.identity.v1 import identity_pb2_grpc

from tests.identity.builders import OPERATOR, PASSWORD, SECRET, House, a_house, a_number, acting
from tests.identity.conftest import BothKeys, Face

pytestmark = pytest.mark.service("identity")

CALLERS = {
    "nobody": None,
    "declarant": a_principal("declarant"),
    "org_admin": a_principal("org_admin"),
    "agency_officer": a_principal("agency_officer", kind="agency"),
    "bank_officer": a_principal("bank_officer", kind="bank"),
    "customs_officer": a_principal("customs_officer", kind="customs"),
    "finance_officer": a_principal("finance_officer", kind="finance"),
    "operator_admin": OPERATOR,
}
REQUESTS: dict[str, Any] = {method.name: GetMessageClass(method.input_type) for method in main.DESCRIPTOR.methods}


OPEN = {
    *("IssueToken", "SignIn", "ListSigningKeys", "ListRevocations"),
    *("AcceptInvitation", "SignUp", "CheckCompanyNumber"),
}
ADMINISTERED = ("User", "Invitation", "Client", "Mandate")
NOT_ADMINISTERED = {"CheckMandate", "RegisterUser"}


def may_pass(name: str, caller: str) -> bool:
    """What the table of the contract says, written a second time."""
    return (
        name
        in {
            "IssueToken",
            "SignIn",
            "ListSigningKeys",
            "ListRevocations",
            "AcceptInvitation",
            "SignUp",
            "CheckCompanyNumber",
        }
        or (name in {"GetOrganisation", "ListOrganisations", "ConfirmClient"} and caller != "nobody")
        or (name not in {"CheckMandate", "ListRecipients", "FindTraders"} and caller == "operator_admin")
        or (caller == "org_admin" and any(thing in name for thing in ADMINISTERED) and name not in NOT_ADMINISTERED)
        or (caller == "declarant" and "Mandate" in name and "Check" not in name)
    )


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_rpc_is_open_to_those_it_names(face: Face, caller: str) -> None:
    let_in = {name for name in AUTHORITY if await is_let_in(face, name, CALLERS[caller])}
    assert let_in == {name for name in AUTHORITY if may_pass(name, caller)}


async def is_let_in(face: Face, name: str, by: Principal | None) -> bool:
    try:
        await face.call(name, REQUESTS[name](), by)
    except Unauthenticated as error:
        return error.detail != "UNAUTHENTICATED"
    except Forbidden as error:
        return not error.detail.startswith("this needs the role")
    except PortolanError:
        return True
    return True


async def test_an_organisation_its_people_and_its_broker(face: Face) -> None:
    """The whole way: registered, administered by itself, represented by a broker, then no more."""
    importer = await register(face, "importer")
    broker = await register(face, "broker")
    admin = acting_as(importer, "org_admin")
    user = pb.User(organisation_id=importer.id, email="a@b.example", name="A", language="ar", roles=["declarant"])
    answer = await face.call(
        "RegisterUser", pb.RegisterUserRequest(request_id="u1", user=user, password=PASSWORD), OPERATOR
    )
    client = pb.Client(organisation_id=importer.id, name="erp", roles=["declarant"], responsible_user_id=answer.user.id)
    made = await face.call("RegisterClient", pb.RegisterClientRequest(request_id="c1", client=client), admin)
    issue = pb.IssueTokenRequest(client_id=made.client.id, client_secret=made.client_secret)
    token = (await face.call("IssueToken", issue)).access_token
    mandate = pb.Mandate(principal_organisation_id=importer.id, agent_organisation_id=broker.id, powers=["file"])
    granted = await face.call("GrantMandate", pb.GrantMandateRequest(request_id="m1", mandate=mandate), token=token)
    check = pb.CheckMandateRequest(
        principal_organisation_id=importer.id, agent_organisation_id=broker.id, power="file", document_type="any.type"
    )
    verdict = await face.call_as_service("CheckMandate", check)
    assert (verdict.allowed, verdict.mandate_id, verdict.principal) == (True, granted.mandate.id, importer)
    revoke = pb.RevokeMandateRequest(id=granted.mandate.id, principal_organisation_id=importer.id)
    assert (await face.call("RevokeMandate", revoke, token=token)).mandate.HasField("revoked_at")
    assert await face.call_as_service("CheckMandate", check) == pb.CheckMandateResponse(allowed=False)
    await face.call("RevokeClient", pb.RevokeClientRequest(id=made.client.id), admin)
    with pytest.raises(Unauthenticated):
        await face.call("IssueToken", issue)


async def test_traders_are_found_by_their_number_by_services_alone(face: Face) -> None:
    importer = await register(face, "importer")
    spaced = f" {importer.company_number[:3]} {importer.company_number[3:]}"
    for number, found in ((importer.company_number, [importer]), (spaced, [importer]), ("0", []), ("", [])):
        answer = await face.call_as_service("FindTraders", pb.FindTradersRequest(company_number=number))
        assert list(answer.organisations) == found
    with pytest.raises(Forbidden):
        await face.call("FindTraders", pb.FindTradersRequest(company_number=importer.company_number), OPERATOR)


async def register(face: Face, kind: str) -> pb.Organisation:
    wanted = pb.Organisation(name=f"The {kind}", kind=kind, company_number=a_number(), language="fr")
    request = pb.RegisterOrganisationRequest(request_id=ids.new_id(), organisation=wanted)
    answer = await face.call("RegisterOrganisation", request, OPERATOR)
    assert isinstance(answer.organisation, pb.Organisation)
    return answer.organisation


def acting_as(organisation: pb.Organisation, role: str) -> Principal:
    return a_principal(role, organisation_id=organisation.id, kind=organisation.kind)


async def test_keys_are_public_and_private_halves_are_not(face: Face) -> None:
    answer = await face.call("ListSigningKeys", pb.ListSigningKeysRequest())
    assert answer.issuer == "portolan"
    keys = [json.loads(key.jwk_json) for key in answer.keys]
    assert [key["kid"] for key in keys] == [key.key_id for key in answer.keys]
    assert all("d" not in key for key in keys)
    assert len(keys) == 1
    rotated = await face.call("RotateSigningKey", pb.RotateSigningKeyRequest(), OPERATOR)
    assert rotated.key_id == keys[0]["kid"], "a key that was just made is the answer"


async def test_identity_verifies_its_own_tokens(face: Face) -> None:
    house = face.house
    importer = await house.organisation("importer")
    new = await house.client(importer, "org_admin")
    token = (await house.desk.issue_token(new.client.id, new.secret, "")).text
    answer = await face.call("ListClients", pb.ListClientsRequest(), token=token)
    assert [client.id for client in answer.clients] == [new.client.id]
    with pytest.raises(Unauthenticated):
        await face.call("ListClients", pb.ListClientsRequest(), token=token[:-4] + "AAAA")


async def test_lists_are_given_page_by_page(face: Face) -> None:
    made = {(await face.house.organisation("importer")).id for _ in range(5)}
    await face.house.organisation("bank")
    seen: list[str] = []
    request = pb.ListOrganisationsRequest(kind="importer", limit=2)
    while True:
        answer = await face.call("ListOrganisations", request, OPERATOR)
        seen.extend(one.id for one in answer.organisations)
        if not answer.next_cursor:
            break
        request = pb.ListOrganisationsRequest(kind="importer", limit=2, cursor=answer.next_cursor)
    assert (len(seen), set(seen)) == (5, made)
    with pytest.raises(Malformed):
        await face.call("ListOrganisations", pb.ListOrganisationsRequest(cursor=request.cursor), OPERATOR)


async def test_users_and_mandates_are_listed_for_their_own(face: Face) -> None:
    house = face.house
    importer, exporter = await house.organisation("importer"), await house.organisation("exporter")
    users = [await house.user(importer, "declarant") for _ in range(3)]
    admin = acting(importer, "org_admin")
    first = await face.call("ListUsers", pb.ListUsersRequest(limit=2), admin)
    rest = await face.call("ListUsers", pb.ListUsersRequest(limit=2, cursor=first.next_cursor), admin)
    assert [user.id for user in [*first.users, *rest.users]] == [user.id for user in users]
    assert rest.next_cursor == ""
    for name in ("ListUsers", "ListClients", "ListMandates"):
        with pytest.raises(Forbidden):
            await face.call(name, REQUESTS[name](organisation_id=exporter.id), admin)
        assert (
            await face.call(name, REQUESTS[name](organisation_id=exporter.id), OPERATOR)
            == type(await face.call(name, REQUESTS[name](organisation_id=exporter.id), OPERATOR))()
        )


async def test_traders_are_not_listed_to_each_other(face: Face) -> None:
    kinds = ("importer", "exporter", "broker", "bank")
    made = {kind: await face.house.organisation(kind) for kind in kinds}
    seen = await face.call("ListOrganisations", pb.ListOrganisationsRequest(), acting(made["importer"], "declarant"))
    assert {one.kind for one in seen.organisations} == {"importer", "broker", "bank"}
    with pytest.raises(NotFound):
        await face.call("GetOrganisation", pb.GetOrganisationRequest(id=made["exporter"].id), CALLERS["declarant"])
    answer = await face.call_as_service("GetOrganisation", pb.GetOrganisationRequest(id=made["exporter"].id))
    assert answer.organisation.id == made["exporter"].id


async def test_recipients_are_the_shared_feed_and_the_people(face: Face) -> None:
    bank = await face.house.organisation("bank", language="en")
    user = await face.house.user(bank, "bank_officer")
    for request in (pb.ListRecipientsRequest(organisation_id=bank.id), pb.ListRecipientsRequest(agency_code="BANK-1")):
        answer = await face.call_as_service("ListRecipients", request)
        assert [(one.id, one.email, one.language) for one in answer.recipients] == [
            (bank.id, "", "en"),
            (user.id, user.email, "ar"),
        ]
    head = await face.house.user(bank, "org_admin")
    for role, found in (("org_admin", [head.id]), ("bank_officer", [user.id]), ("king", [])):
        request = pb.ListRecipientsRequest(agency_code="BANK-1", role=role)
        answer = await face.call_as_service("ListRecipients", request)
        assert [one.id for one in answer.recipients] == found
    for request in (pb.ListRecipientsRequest(), pb.ListRecipientsRequest(agency_code="NOBODY")):
        assert not (await face.call_as_service("ListRecipients", request)).recipients


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("GetOrganisation", pb.GetOrganisationRequest(id="a\x00b")),
        ("ListOrganisations", pb.ListOrganisationsRequest(kind="\x00")),
        ("ListUsers", pb.ListUsersRequest(organisation_id="\x00")),
        ("ListMandates", pb.ListMandatesRequest(organisation_id="x" * 1000)),
        ("RevokeClient", pb.RevokeClientRequest(id="\x00")),
        ("RevokeMandate", pb.RevokeMandateRequest(id="\x00")),
        ("RegisterOrganisation", pb.RegisterOrganisationRequest(request_id="1")),
        ("RegisterOrganisation", pb.RegisterOrganisationRequest(request_id="\x00")),
        ("RegisterUser", pb.RegisterUserRequest(request_id="1", user=pb.User(organisation_id="\x00"))),
        ("InviteUser", pb.InviteUserRequest(request_id="1", invitation=pb.Invitation(organisation_id="\x00"))),
        ("DismissUser", pb.DismissUserRequest(organisation_id="o", user_id="\x00")),
        ("AcceptInvitation", pb.AcceptInvitationRequest(token="\x00.\x00", password="\x00")),
        ("ConfirmClient", pb.ConfirmClientRequest(id="\x00")),
        ("RegisterClient", pb.RegisterClientRequest(request_id="1", client=pb.Client(responsible_user_id="\x00"))),
        ("GrantMandate", pb.GrantMandateRequest(request_id="1", mandate=pb.Mandate(powers=["\x00"]))),
        ("ListOrganisations", pb.ListOrganisationsRequest(cursor="not a cursor")),
        ("ListOrganisations", pb.ListOrganisationsRequest(limit=-5, cursor="é")),
    ],
)
async def test_nonsense_is_the_callers_fault(face: Face, name: str, request_: object) -> None:
    with pytest.raises((Invalid, Malformed, NotFound)):
        await face.call(name, request_, OPERATOR)


async def test_outside_a_demo_nobody_sets_anothers_password(service_database: Database, mint: TokenMint) -> None:
    house = await a_house(service_database)
    keys = BothKeys(house, mint)
    settings = Settings(service_secret=SECRET, grpc_port=0)
    server = main.api_server(settings, house.db, house.vault, house.passwords, house.keys, TokenVerifier(keys, SECRET))
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    async with channel(f"127.0.0.1:{server.port}") as opened:
        stub = identity_pb2_grpc.IdentityServiceStub(opened)
        with pytest.raises(Forbidden, match="is invited"):
            await call(stub.RegisterUser, pb.RegisterUserRequest(request_id="1"), token=mint.token(OPERATOR))
    stop.set()
    await running


async def test_dates_out_of_range_are_refused(face: Face) -> None:
    request = pb.GrantMandateRequest(request_id="1", mandate=pb.Mandate(powers=["file"]))
    request.mandate.valid_to.seconds = 10**15
    with pytest.raises(Invalid) as error:
        await face.call("GrantMandate", request, OPERATOR)
    assert [violation.pointer for violation in error.value.violations] == ["/valid_to"]


async def test_the_seed_loads_the_pack_and_in_a_demo_makes_the_first_operator(
    service_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        service_secret=SECRET, database_url=service_database.url, demo_mode=True, home=tmp_path, bus_url=""
    )
    parts = await main.build(settings)
    kept = tmp_path / "bootstrap.json"
    await parts.jobs["seed"]()
    first = kept.read_text()
    await parts.jobs["seed"]()
    assert kept.read_text() == first
    assert kept.stat().st_mode & 0o777 == 0o600
    account = json.loads(first)
    assert account["roles"] == ["operator_admin"]
    assert set(account) >= {"client_id", "client_secret", "organisation_id", "organisation_name", "kind", "user"}
    kept.unlink()
    await parts.jobs["seed"]()
    assert json.loads(kept.read_text())["client_id"] != account["client_id"]
    assert parts.close is not None
    await parts.close()


async def test_outside_a_demo_the_seed_makes_nobody(service_database: Database, tmp_path: Path) -> None:
    settings = Settings(service_secret=SECRET, database_url=service_database.url, home=tmp_path)
    parts = await main.build(settings)
    await parts.jobs["seed"]()
    assert not (tmp_path / "bootstrap.json").exists()
    async with service_database.connection() as connection:
        assert await (await connection.execute("select 1 from organisations")).fetchone() is None
    assert parts.close is not None
    await parts.close()


async def test_outside_a_demo_the_first_operator_is_printed_once(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = await main.build(Settings(service_secret=SECRET, database_url=house.db.url))
    await parts.jobs["bootstrap"]()
    account = json.loads(capsys.readouterr().out)
    assert (await house.desk.issue_token(account["client_id"], account["client_secret"], "")).scope == "operator_admin"
    with pytest.raises(SystemExit, match="already"):
        await parts.jobs["bootstrap"]()
    assert not await bootstrap(house.db, house.passwords, "x@y.example", lambda _: None)
    assert parts.close is not None
    await parts.close()
