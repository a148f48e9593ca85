"""The rules, without a database."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from identity.actions.vault import Vault
from identity.domain import access, keys
from identity.domain.attempts import ACCOUNTS_MAX, FAILURES_MAX, WINDOW_SECONDS, Attempts
from identity.domain.keys import SigningKey
from identity.domain.mandates import Mandate, Wish, check_grant
from identity.domain.organisations import ROLES, Kind, registered
from identity.domain.people import (
    User,
    check_client,
    check_user,
    digest,
    email_address,
    is_secret,
    new_client_id,
    new_secret,
    password,
)
from identity.domain.tokens import roles_granted
from kit.auth import FETCH_INTERVAL_S
from kit.errors import Busy, Forbidden, Invalid, NotFound

from tests.identity.builders import NOON, PASSWORD, RULES, ZEROS, a_client, a_number, a_user, acting, an_organisation

DAY = timedelta(days=1)


def pointers(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    return {violation.pointer for violation in error.value.violations}


def test_a_trader_is_registered_under_its_number_without_spaces() -> None:
    number = a_number()
    spaced = f" {number[:3]} {number[3:6]} {number[6:]} "
    assert registered(an_organisation(company_number=spaced), RULES).company_number == number


@pytest.mark.parametrize(
    "number", [ZEROS, "", "123", "123456789", "12345678X", "1" * 500, "\x00", a_number() + "0", "٠٠٠٠٠٠٠٠٠"]
)
def test_a_number_that_cannot_exist_is_refused(number: str) -> None:
    with pytest.raises(Invalid) as error:
        registered(an_organisation(company_number=number), RULES)
    assert pointers(error) == {"/company_number"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"kind": "pirate"}, "/kind"),
        ({"language": "xx"}, "/language"),
        ({"billing_mode": "never"}, "/billing_mode"),
        ({"attributes": ("Not a word",)}, "/attributes"),
        ({"attributes": ("a",) * 21}, "/attributes"),
        ({"agency_code": "TRADE"}, "/agency_code"),
    ],
)
def test_a_profile_against_the_rules_is_refused(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(Invalid) as error:
        registered(replace(an_organisation(), **changes), RULES)  # type: ignore[arg-type]
    assert pointers(error) == {pointer}


@pytest.mark.parametrize(
    ("kind", "code", "fits"),
    [
        ("agency", "TRADE", True),
        ("bank", "BANK-1", True),
        ("customs", "CUSTOMS", True),
        ("finance", "", True),
        ("operator", "", True),
        ("agency", "", False),
        ("bank", "TRADE", False),
        ("agency", "CUSTOMS", False),
        ("agency", "UNKNOWN", False),
    ],
)
def test_a_body_bears_a_code_of_its_kind(kind: str, code: str, fits: bool) -> None:
    body = an_organisation(kind, agency_code=code)
    if fits:
        assert registered(body, RULES).agency_code == code
        return
    with pytest.raises(Invalid) as error:
        registered(body, RULES)
    assert pointers(error) == {"/agency_code"}


def test_every_kind_has_roles_and_nobody_may_be_a_service() -> None:
    assert set(ROLES) == set(Kind)
    assert all("service" not in roles for roles in ROLES.values())
    assert [kind for kind, roles in ROLES.items() if "operator_admin" in roles] == [Kind.OPERATOR]
    assert "org_admin" not in ROLES[Kind.OPERATOR]


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("importer", "customs_officer"),
        ("importer", "operator_admin"),
        ("broker", "bank_officer"),
        ("bank", "agency_officer"),
        ("agency", "declarant"),
        ("customs", "finance_officer"),
        ("operator", "org_admin"),
        ("importer", "service"),
        ("importer", ""),
    ],
)
def test_a_role_the_kind_may_not_hold_is_refused(kind: str, role: str) -> None:
    organisation = an_organisation(kind, id="o")
    with pytest.raises(Invalid) as error:
        check_user(a_user(organisation, role), PASSWORD, organisation, RULES)
    assert pointers(error) == {"/roles/0"}
    somebody = replace(a_user(organisation), id="u")
    with pytest.raises(Invalid) as error:
        check_client(a_client(somebody, role), organisation, somebody)
    assert pointers(error) == {"/roles/0"}


def test_a_user_needs_a_role_once() -> None:
    organisation = an_organisation(id="o")
    for roles in ((), ("declarant", "declarant")):
        with pytest.raises(Invalid) as error:
            check_user(a_user(organisation, *roles), PASSWORD, organisation, RULES)
        assert pointers(error) == {"/roles"}


@pytest.mark.parametrize(("text", "fits"), [("x" * 14, False), ("x" * 15, True), ("x" * 200, True), ("x" * 201, False)])
def test_a_password_has_15_to_200_characters(text: str, fits: bool) -> None:
    organisation = an_organisation(id="o")
    if fits:
        check_user(a_user(organisation, "declarant"), text, organisation, RULES)
        return
    with pytest.raises(Invalid) as error:
        check_user(a_user(organisation, "declarant"), text, organisation, RULES)
    assert pointers(error) == {"/password"}


def test_a_password_is_counted_and_kept_in_its_composed_form() -> None:
    decomposed = "e\u0301" * 14
    assert password(decomposed) == "é" * 14
    organisation = an_organisation(id="o")
    with pytest.raises(Invalid):
        check_user(a_user(organisation, "declarant"), decomposed, organisation, RULES)


def test_an_address_has_one_spelling() -> None:
    assert email_address("Some.Body@Company.EXAMPLE") == "some.body@company.example"
    assert [email_address(text) for text in ("", "nobody", "a@b", "a b@c.example", "a\x00@c.example")] == [None] * 5


def test_a_machine_is_answered_for_by_a_person_of_its_own_organisation() -> None:
    organisation = an_organisation(id="o")
    stranger = User("u", "another", "s@a.example", "Stranger", "fr", ("declarant",))
    for responsible in (None, stranger):
        with pytest.raises(Invalid) as error:
            check_client(a_client(replace(stranger, organisation_id="o"), "declarant"), organisation, responsible)
        assert pointers(error) == {"/responsible_user_id"}


def test_a_client_id_is_readable_and_a_secret_is_not_guessable() -> None:
    assert new_client_id("Société Générale d'Import", "ERP n° 1").startswith("societe-generale-d-impor-erp-n-1-")
    assert len(new_client_id("شركة", "نظام")) == 6
    assert len({new_secret() for _ in range(100)}) == 100
    assert min(len(new_secret()) for _ in range(100)) >= 43


def test_a_secret_proves_only_the_client_it_was_made_for() -> None:
    secret = new_secret()
    assert is_secret(secret, digest(secret))
    assert not is_secret(secret + "x", digest(secret))
    assert not is_secret("", digest(secret))
    assert not is_secret(secret, None)


def test_a_scope_narrows_and_never_widens() -> None:
    assert roles_granted(("org_admin", "declarant"), "") == ["declarant", "org_admin"]
    assert roles_granted(("org_admin", "declarant"), "declarant") == ["declarant"]
    with pytest.raises(Invalid, match="INVALID_SCOPE"):
        roles_granted(("declarant",), "declarant operator_admin")


def a_wish(**changes: object) -> Wish:
    wish = Wish("principal", "agent", ("file", "amend"), ("import_title.ei",), NOON, NOON + 10 * DAY)
    return replace(wish, **changes)  # type: ignore[arg-type]


def a_mandate(**changes: object) -> Mandate:
    return replace(a_wish().granted("m", NOON, "somebody"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "power", "document_type", "at", "allowed"),
    [
        ({}, "file", "import_title.ei", NOON, True),
        ({}, "amend", "import_title.ei", NOON + DAY, True),
        ({}, "withdraw", "import_title.ei", NOON, False),
        ({}, "", "import_title.ei", NOON, False),
        ({}, "file", "import_title.li", NOON, False),
        ({}, "file", "import_title", NOON, False),
        ({"document_types": ()}, "file", "import_title.li", NOON, True),
        ({}, "file", "import_title.ei", NOON - timedelta(microseconds=1), False),
        ({}, "file", "import_title.ei", NOON + 10 * DAY - timedelta(microseconds=1), True),
        ({}, "file", "import_title.ei", NOON + 10 * DAY, False),
        ({"valid_to": None}, "file", "import_title.ei", NOON + 9000 * DAY, True),
        ({"revoked_at": NOON + DAY}, "file", "import_title.ei", NOON + 2 * DAY, False),
        ({"revoked_at": NOON + DAY}, "file", "import_title.ei", NOON + DAY, False),
        ({"revoked_at": NOON + DAY}, "file", "import_title.ei", NOON + DAY - timedelta(seconds=1), True),
    ],
)
def test_a_mandate_allows_its_powers_types_and_dates(
    changes: dict[str, object], power: str, document_type: str, at: datetime, allowed: bool
) -> None:
    assert a_mandate(**changes).allows(power, document_type, at) is allowed


def test_the_first_revocation_stands() -> None:
    once = a_mandate().revoked(NOON, "first")
    assert once.revoked(NOON + DAY, "second") == once


@pytest.mark.parametrize(
    ("principal", "agent", "changes", "pointer"),
    [
        ("broker", "broker", {}, "/principal_organisation_id"),
        ("bank", "broker", {}, "/principal_organisation_id"),
        ("importer", "exporter", {}, "/agent_organisation_id"),
        ("importer", "agency", {}, "/agent_organisation_id"),
        ("importer", "broker", {"powers": ()}, "/powers"),
        ("importer", "broker", {"powers": ("file", "file")}, "/powers"),
        ("importer", "broker", {"powers": ("everything",)}, "/powers"),
        ("importer", "broker", {"document_types": ("No Type",)}, "/document_types/0"),
        ("importer", "broker", {"document_types": ("a",) * 51}, "/document_types"),
        ("importer", "broker", {"valid_to": NOON - DAY}, "/valid_to"),
        ("importer", "broker", {"valid_from": NOON + 11 * DAY}, "/valid_to"),
    ],
)
def test_a_grant_against_the_rules_is_refused(
    principal: str, agent: str, changes: dict[str, object], pointer: str
) -> None:
    mandate = a_wish(**changes).granted("m", NOON, "somebody")
    with pytest.raises(Invalid) as error:
        check_grant(mandate, an_organisation(principal, id="principal"), an_organisation(agent, id="agent"))
    assert pointer in pointers(error)


def test_importers_and_exporters_authorise_brokers() -> None:
    for kind in ("importer", "exporter"):
        check_grant(a_mandate(), an_organisation(kind, id="principal"), an_organisation("broker", id="agent"))
    with pytest.raises(Invalid) as error:
        check_grant(a_mandate(), None, None)
    assert pointers(error) == {"/principal_organisation_id", "/agent_organisation_id"}


def test_only_the_principal_and_the_operator_revoke() -> None:
    principal, agent = an_organisation("importer", id="principal"), an_organisation("broker", id="agent")
    access.require_revocable(acting(principal, "declarant"), a_mandate())
    access.require_revocable(acting(an_organisation("operator", id="op"), "operator_admin"), a_mandate())
    with pytest.raises(Forbidden):
        access.require_revocable(acting(agent, "declarant"), a_mandate())
    with pytest.raises(NotFound):
        access.require_revocable(acting(an_organisation("importer", id="other"), "org_admin"), a_mandate())


def a_key(name: str, made_at: datetime, known: list[SigningKey]) -> list[SigningKey]:
    """`known` after a successor was published."""
    key = SigningKey(name, "{}", b"x", made_at, keys.signs_from(known, made_at))
    retires_at = keys.retirement(key.signs_from)
    return [replace(old, retires_at=old.retires_at or retires_at) for old in known] + [key]


def test_a_key_is_published_then_signs_then_retires() -> None:
    first = a_key("first", NOON, [])
    assert (signer := keys.signer(first, NOON)) is not None
    assert signer.id == "first"
    both = a_key("second", NOON + DAY, first)
    takeover = NOON + DAY + timedelta(seconds=keys.PUBLISH_LEAD_SECONDS)
    last_token_of_first = takeover + timedelta(seconds=keys.KEYRING_SECONDS + keys.TOKEN_SECONDS)
    for at, signs, published in [
        (NOON + DAY, "first", 2),
        (takeover - timedelta(seconds=1), "first", 2),
        (takeover, "second", 2),
        (last_token_of_first, "second", 2),
        (last_token_of_first + timedelta(seconds=keys.CLOCK_SKEW_SECONDS), "second", 1),
    ]:
        signer = keys.signer(both, at)
        assert signer is not None
        assert signer.id == signs
        assert sum(key.is_published(at) for key in both) == published


def test_the_lead_outlasts_every_cache_of_keys() -> None:
    assert keys.PUBLISH_LEAD_SECONDS > keys.KEYRING_SECONDS + FETCH_INTERVAL_S


def test_a_key_of_a_month_is_due_for_rotation() -> None:
    first = a_key("first", NOON, [])
    assert keys.is_rotation_due([], NOON)
    assert not keys.is_rotation_due(first, NOON + 30 * DAY)
    assert keys.is_rotation_due(first, NOON + 31 * DAY)


def test_an_account_may_be_tried_ten_times_in_five_minutes() -> None:
    attempts = Attempts()
    for second in range(FAILURES_MAX):
        attempts.count("somebody", float(second))
    with pytest.raises(Busy) as error:
        attempts.count("somebody", 20.0)
    assert error.value.facts["retry_after_seconds"] == str(int(WINDOW_SECONDS) - 20 + 1)
    attempts.count("another", 20.0)
    attempts.count("somebody", WINDOW_SECONDS)
    with pytest.raises(Busy):
        attempts.count("somebody", WINDOW_SECONDS + 0.5)
    attempts.forgive("somebody")
    attempts.count("somebody", WINDOW_SECONDS + 0.5)


def test_remembered_failures_are_bounded() -> None:
    attempts = Attempts()
    for number in range(ACCOUNTS_MAX + 50):
        attempts.count(str(number), 0.0)
    assert len(attempts._failures) == ACCOUNTS_MAX


def test_what_is_sealed_opens_only_under_its_name_and_secret() -> None:
    vault = Vault("one secret")
    sealed = vault.seal(b"private", "key-1")
    assert vault.open(sealed, "key-1") == b"private"
    assert vault.open(sealed, "key-2") is None
    assert Vault("another secret").open(sealed, "key-1") is None
    assert vault.open(b"", "key-1") is None
    assert b"private" not in sealed
    with pytest.raises(ValueError, match="SERVICE_SECRET"):
        Vault("")
