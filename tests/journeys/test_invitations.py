"""A person joins by what came to their own address, and nobody else can be them."""

import httpx
import psycopg
import pytest
from portolan_cli.client import Credentials, Person, Portolan, Problem
from portolan_cli.demo_file import Demo

from tests.journeys import letters
from tests.journeys.bodies import new_key
from tests.journeys.conftest import System

PASSWORD = "known to nobody else"


def an_administrator(portolan: Portolan, system: System, demo: Demo, kind: str, address: str) -> Person:
    """Invited by the operator into an organisation of the demonstration."""
    operator = demo.actor(kind="operator", role="operator_admin").credentials
    organisation = demo.actor(kind=kind).organisation_id
    return joined(portolan, system, operator, organisation, address, "org_admin")


def joined(
    portolan: Portolan, system: System, by: Credentials, organisation_id: str, address: str, role: str
) -> Person:
    asked = {"email": address, "name": "Somebody New", "language": "fr", "roles": [role]}
    path = f"/v1/organisations/{organisation_id}/invitations"
    invitation = portolan.post(path, by, asked, key=new_key())
    assert "token" not in invitation
    token = letters.token_sent_to(system, address)
    user = portolan.post("/v1/invitations:accept", None, {"token": token, "password": PASSWORD})
    assert (user["email"], user["roles"]) == (address, [role])
    assert [one["state"] for one in portolan.items(path, by) if one["id"] == invitation["id"]] == ["ACCEPTED"]
    return Person(address, PASSWORD)


def test_an_agencys_administrator_signs_for_nobody(system: System, portolan: Portolan, demo: Demo) -> None:
    """The hole that once was: two machines for two colleagues, two signatures, one pair of eyes."""
    ministry = demo.actor(agency_code="MIC").organisation_id
    path = f"/v1/organisations/{ministry}"
    operator = demo.actor(kind="operator", role="operator_admin").credentials
    admin = joined(portolan, system, operator, ministry, "chief@mic.example", "org_admin")
    officer = joined(portolan, system, admin, ministry, "new-officer@mic.example", "agency_officer")
    colleagues = [one for one in portolan.items(f"{path}/users", admin) if "agency_officer" in one["roles"]]
    wanted = {"email": "x@mic.example", "name": "X", "password": PASSWORD, "language": "fr", "roles": ["declarant"]}
    with pytest.raises(Problem) as refused:
        portolan.post(f"{path}/users", admin, wanted, key=new_key())
    assert refused.value.code == "FORBIDDEN"
    for colleague in colleagues:
        asked = {"name": "mine", "roles": ["agency_officer"], "responsible_user_id": colleague["id"]}
        made = portolan.post(f"{path}/clients", admin, asked, key=new_key())
        assert made["awaits_confirmation"]
        machine = Credentials(made["client_id"], made["client_secret"])
        with pytest.raises(Problem) as refused:
            portolan.token(machine)
        assert (refused.value.status, refused.value.code) == (403, "CLIENT_UNCONFIRMED")
        with pytest.raises(Problem) as refused:
            portolan.post(f"/v1/clients/{made['client_id']}:confirm", admin)
        assert refused.value.status == 404
        if colleague["email"] == officer.client_id:
            portolan.post(f"/v1/clients/{made['client_id']}:confirm", officer)
            assert portolan.token(machine)
        portolan.post(f"{path}/clients/{made['client_id']}:revoke", admin)
    with pytest.raises(Problem) as refused:
        portolan.post(f"{path}/users/{_id(portolan, path, admin)}:dismiss", admin)
    assert refused.value.code == "LAST_ADMINISTRATOR"


def _id(portolan: Portolan, path: str, person: Person) -> str:
    return next(str(one["id"]) for one in portolan.items(f"{path}/users", person) if one["email"] == person.client_id)


def test_the_token_is_in_the_letter_and_nowhere_else(system: System, portolan: Portolan, demo: Demo) -> None:
    address = "once@broker.example"
    admin = an_administrator(portolan, system, demo, "broker", address)
    token = letters.token_sent_to(system, address)
    secret = token.partition(".")[2]
    with pytest.raises(Problem) as refused:
        portolan.post("/v1/invitations:accept", None, {"token": token, "password": "another password of mine"})
    assert (refused.value.status, refused.value.code) == (404, "INVITATION_INVALID")
    for service, table in (("notifications", "deliveries"), ("identity", "outbox"), ("identity", "invitations")):
        with psycopg.connect(system.database_url(service)) as database:
            rows = database.execute(f"select row_to_json(t)::text from {table} t").fetchall()  # noqa: S608
        assert secret not in "".join(row[0] for row in rows)
    logs = "".join(file.read_text(errors="replace") for file in (system.home / "log").glob("*.log"))
    assert "key_id" in logs
    assert secret not in logs
    feed = httpx.get(
        f"{system.base_url}/v1/notifications", headers={"authorization": f"Bearer {portolan.token(admin)}"}
    )
    assert secret not in feed.text
