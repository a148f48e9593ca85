"""The seed goes through the front door, and goes on where a crash stopped it."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import packs
import pytest
from packs.reader import default_pack_path
from portolan_cli import demo_file, generation
from portolan_cli.reference.cast import gather
from portolan_cli.seeding import plan
from portolan_cli.seeding.journal import Journal
from portolan_cli.seeding.plan import SeedError
from portolan_cli.seeding.seeder import CLIENT_ATTEMPTS_MAX, Seeder

BOOTSTRAP = {
    "organisation_id": "org-0",
    "organisation_name": "Operator",
    "kind": "operator",
    "client_id": "boot",
    "client_secret": "s",
    "roles": ["operator_admin"],
    "user": {"id": "user-0", "email": "root@x.example", "password": "p", "roles": ["operator_admin"]},
}
SEED: dict[str, Any] = {
    "organisations": [
        {"key": "trader", "name": "Trader", "kind": "importer", "language": "fr", "company_number": "1"},
        {"key": "broker", "name": "Broker", "kind": "broker", "language": "ar"},
        {"key": "operator", "name": "Elsewhere", "kind": "operator", "language": "fr"},
    ],
    "users": [
        {"organisation": "trader", "email": "a@x.example", "name": "A", "roles": ["declarant"]},
        {"organisation": "broker", "email": "b@x.example", "name": "B", "roles": ["declarant"], "password": "given"},
    ],
    "clients": [
        {"organisation": "trader", "name": "t", "roles": ["declarant"]},
        {"organisation": "broker", "name": "b", "roles": ["declarant"], "responsible": "b@x.example"},
    ],
    "mandates": [{"principal": "trader", "agent": "broker", "valid_from": "2026-01-01", "valid_to": "2031-12-31"}],
}


class Crash(Exception):
    pass


class FakePortolan:
    """Answers as the gateway does: the same key is the same thing, and a secret is shown once."""

    base_url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.crash_after = 1000

    def post(self, path: str, by: object, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
        if len(self.asked) >= self.crash_after:
            raise Crash
        self.asked.append((path, body))
        repeated = key in self.made
        thing = self.made.setdefault(key, {**body, "id": f"id-{len(self.made)}"})
        if path.endswith("/clients"):
            return {**thing, "client_id": thing["id"], "client_secret": None if repeated else f"secret-{thing['id']}"}
        return thing


def seeded(window: FakePortolan, home: Path) -> dict[str, Any]:
    journal = Journal(home / "journal.json")
    return Seeder(window, BOOTSTRAP, journal, plan.from_content(SEED)).run()  # type: ignore[arg-type]


def test_everybody_is_brought_in_and_described(tmp_path: Path) -> None:
    window = FakePortolan()
    content = seeded(window, tmp_path)
    trader, broker, operator = content["organisations"]
    assert [client["kind"] for client in content["clients"]] == ["importer", "broker", "operator"]
    assert operator["id"] == "org-0"
    assert content["users"][0]["language"] == "fr"
    assert content["users"][1]["password"] == "given"
    mandate = content["mandates"][0]
    assert mandate["agent_organisation_id"] == broker["id"]
    assert (mandate["valid_from"], mandate["valid_to"]) == ("2026-01-01T00:00:00Z", "2031-12-31T23:59:59Z")
    assert window.asked[-1][0] == f"/v1/organisations/{trader['id']}/mandates"


def test_a_client_is_answered_for_by_the_named_user_or_the_first(tmp_path: Path) -> None:
    content = seeded(FakePortolan(), tmp_path)
    assert [client.get("responsible") for client in content["clients"]] == ["a@x.example", "b@x.example", None]


@pytest.mark.parametrize("calls", range(7))
def test_after_a_crash_it_goes_on_and_nobody_comes_twice(tmp_path: Path, calls: int) -> None:
    window = FakePortolan()
    window.crash_after = calls
    with pytest.raises(Crash):
        seeded(window, tmp_path)
    window.crash_after = 1000
    content = seeded(window, tmp_path)
    assert len(window.made) == 7
    assert all(client["client_secret"] for client in content["clients"])
    assert seeded(window, tmp_path) == content


def test_a_secret_lost_in_a_crash_is_replaced_by_a_new_client(tmp_path: Path) -> None:
    window = FakePortolan()
    seeded(window, tmp_path)
    content = (tmp_path / "journal.json").read_text()
    (tmp_path / "journal.json").write_text(content.replace('"client 1"', '"forgotten"'))
    again = seeded(window, tmp_path)
    assert again["clients"][0]["client_secret"]
    assert len(window.made) == 8


def test_it_gives_up_when_no_secret_ever_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = FakePortolan()
    monkeypatch.setattr(window, "post", lambda path, by, body, *, key: {**body, "id": key, "client_secret": None})
    with pytest.raises(SeedError, match=f"after {CLIENT_ATTEMPTS_MAX} attempts"):
        seeded(window, tmp_path)


def test_passwords_and_request_ids_stay_the_same_and_differ_between_folders(tmp_path: Path) -> None:
    first, again, other = (Journal(tmp_path / name) for name in ("one", "one", "two"))
    assert first.password("a") == again.password("a") != other.password("a")
    assert first.request_id("x") == again.request_id("x") != first.request_id("y")
    assert len(first.password("a")) >= 15


def test_a_member_of_no_organisation_is_refused() -> None:
    with pytest.raises(SeedError, match="belongs to no organisation"):
        plan.from_content({**SEED, "users": [{"organisation": "nobody", "email": "x"}]})


def test_users_and_clients_may_stand_inside_their_organisation() -> None:
    inside = {"organisations": [{**SEED["organisations"][0], "users": [{"email": "x"}]}]}
    assert plan.from_content(inside).users == [{"email": "x", "organisation": "trader"}]


def test_demo_json_is_for_its_owner_only_and_follows_the_address(tmp_path: Path) -> None:
    demo_file.write(tmp_path, {"base_url": "http://a", "clients": []})
    demo_file.move(tmp_path, "http://b")
    assert demo_file.content(tmp_path)["base_url"] == "http://b"
    assert stat.S_IMODE(demo_file.path(tmp_path).stat().st_mode) == 0o600


def test_people_are_added_to_an_organisation_that_is_registered_already(tmp_path: Path) -> None:
    known = {"key": "desk", "id": "org-7", "name": "Desk", "kind": "agency", "language": "fr", "agency_code": "DESK"}
    officer = {"organisation": "desk", "email": "o@x.example", "name": "O", "roles": ["agency_officer"]}
    client = {"organisation": "desk", "name": "o", "roles": ["agency_officer"]}
    window, journal = FakePortolan(), Journal(tmp_path / "journal.json")
    wanted = plan.from_content({"organisations": [known], "users": [officer], "clients": [client]})
    content = Seeder(window, BOOTSTRAP, journal, wanted).run()  # type: ignore[arg-type]
    assert [path for path, _ in window.asked] == ["/v1/organisations/org-7/users", "/v1/organisations/org-7/clients"]
    assert content["clients"][0]["agency_code"] == "DESK"


def test_every_agency_of_a_cast_has_two_officers(tmp_path: Path) -> None:
    """Also where the demo has one: a rule may ask for a second person anywhere."""
    pack, mix = packs.read(default_pack_path()), generation.load(default_pack_path())
    alone: dict[str, Any] = {
        "key": "x",
        "client_id": "x",
        "client_secret": "s",
        "organisation_id": "org-x",
        "organisation_name": "X",
    }
    alone |= {"roles": ["agency_officer"], "language": "fr", "agency_code": "DPM", "kind": "agency"}
    book = {**alone, "client_id": "f", "agency_code": "", "kind": "finance", "roles": ["finance_officer"]}
    demo_file.write(tmp_path, {"base_url": "", "clients": [alone, book], "organisations": []})
    (tmp_path / "bootstrap.json").write_text(json.dumps(BOOTSTRAP))
    cast = gather(FakePortolan(), tmp_path, pack, generation.companies(pack, mix, 0.1), "t")  # type: ignore[arg-type]
    assert {len(officers) for officers in cast.officers.values()} == {2}
    assert {one.organisation_id for one in cast.officers["DPM"]} == {"org-x"}
