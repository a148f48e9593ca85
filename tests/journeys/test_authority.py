"""Every operation of the OpenAPI, called as nobody, with the wrong role, and as the wrong somebody.

The list of operations is the OpenAPI's own; one without a verdict here fails.
"""

import time
from collections.abc import Iterator, Mapping

import httpx
import pytest
from portolan_cli.client import Portolan, Problem
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.authority import CALLER, Operation, World, a_world, bodies, key_of, send
from tests.journeys.bodies import new_key, submission, submitted
from tests.journeys.conftest import System

MANDATE_BITES_S_MAX = 5.0
METHODS = {"get", "post", "put", "patch", "delete"}

# What a stranger gets: somebody of another organisation who holds a role the operation asks for.
PUBLIC = "public"  # the same for everybody
HIDDEN = "hidden"  # 404: may not know that it exists
REFUSED = "refused"  # 403
OWN = "own"  # 200, and nothing of anybody else's in it
NEW = "new"  # 201, for its own organisation, and nothing of anybody else's in it
SOLE = "sole"  # only one organisation can hold the role: there is no stranger

VERDICTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("accept_invitation", "sign_up", "check_company_number"),
            *("issue_token", "sign_in", "list_token_keys", "get_openid_configuration", "list_receipt_keys"),
            *(
                "list_document_types",
                "get_document_type",
                "list_reference_codes",
                "list_durations",
                "simulate_procedure",
                "get_data_dictionary",
            ),
            *("get_status", "get_health", "get_readiness", "get_openapi"),
            *("get_docs", "get_docs_script", "get_docs_style", "get_front_page", "get_bulk_template"),
        ),
        PUBLIC,
    ),
    **dict.fromkeys(("rotate_signing_key", "check_ledger", "register_organisation"), SOLE),
    **dict.fromkeys(("propose_rules", "replay_rules", "publish_rules", "withdraw_rules", "roll_back_rules"), SOLE),
    **dict.fromkeys(("get_rule_table", "list_rule_tables", "list_replayed_documents"), SOLE),
    **dict.fromkeys(("impute_title", "cancel_imputation", "tell_declaration"), SOLE),
    "get_declaration": HIDDEN,
    **dict.fromkeys(
        ("submit_document", "simulate_document", "submit_documents", "create_draft", "submit_file"), REFUSED
    ),
    **dict.fromkeys(("list_documents", "list_tasks", "list_charges", "get_current_statement"), OWN),
    "search_documents": OWN,
    **dict.fromkeys(("get_graph", "get_provenance", "prefill_document"), HIDDEN),
    **dict.fromkeys(("list_notifications", "list_organisations", "list_drafts"), OWN),
    "list_no_shows": OWN,
    **dict.fromkeys(
        (
            *(
                "get_document",
                "get_timeline",
                "follow_timeline",
                "get_attachment",
                "list_accesses",
                "get_routing",
                "get_receipt",
                "get_ledger",
                "get_settlement",
            ),
            *("amend_document", "withdraw_document", "cancel_document", "copy_document", "complete_document"),
            *("get_draft", "replace_draft", "change_draft", "delete_draft", "submit_draft", "copy_draft"),
            *("record_payment", "cancel_payment", "clear_title", "change_bank"),
            *("get_task", "claim_task", "release_task", "decide_task", "mark_notification_read"),
            *("request_information", "provide_information", "list_conditions", "satisfy_condition"),
            *("propose_visit", "list_visits", "confirm_visit", "decline_visit", "report_no_show", "record_visit"),
            "get_organisation",
            *("get_webhook_endpoint", "disable_webhook_endpoint", "enable_webhook_endpoint", "rotate_webhook_secret"),
            *("replay_webhooks", "send_test_webhook", "list_webhook_deliveries"),
        ),
        HIDDEN,
    ),
    **dict.fromkeys(("assign_task", "end_absence"), HIDDEN),
    "list_absences": OWN,
    "create_absence": NEW,
    "create_webhook_endpoint": NEW,
    "store_attachment": NEW,
    **dict.fromkeys(("list_webhook_endpoints", "get_notification_preferences", "put_notification_preferences"), OWN),
    **dict.fromkeys(("list_users", "list_clients", "register_client", "revoke_client"), REFUSED),
    **dict.fromkeys(("invite_user", "list_invitations", "revoke_invitation"), REFUSED),
    **dict.fromkeys(("dismiss_user", "change_user_roles"), REFUSED),
    "register_user": SOLE,
    "confirm_client": REFUSED,
    **dict.fromkeys(("list_mandates", "grant_mandate", "revoke_mandate"), REFUSED),
}


# Answered line by line, each line a submission: its own tests say that each is refused as a submission is.
LINE_BY_LINE = frozenset({"submit_documents", "submit_file"})


@pytest.fixture(scope="module", autouse=True)
def hung_up() -> Iterator[None]:
    yield
    CALLER.close()


@pytest.fixture(scope="module")
def operations(system: System) -> list[Operation]:
    paths = httpx.get(f"{system.base_url}/openapi.json").json()["paths"]
    return [
        Operation(one["operationId"], method.upper(), path, _roles(one["x-portolan-authority"]))
        for path, item in paths.items()
        for method, one in item.items()
        if method in METHODS
    ]


def _roles(authority: str | list[str]) -> frozenset[str]:
    return frozenset([authority] if isinstance(authority, str) else authority)


@pytest.fixture(scope="module")
def world(system: System, portolan: Portolan, demo: Demo, broker: Actor, customs: Actor) -> World:
    return a_world(system, portolan, demo, broker, customs)


def test_every_operation_has_a_verdict(operations: list[Operation]) -> None:
    assert {one.id for one in operations} == set(VERDICTS)


def test_nobody_is_refused_wherever_a_caller_is_asked_for(
    system: System, world: World, operations: list[Operation], portolan: Portolan, demo: Demo
) -> None:
    wanted = bodies(world, portolan, demo)
    for token in ("", "not.a.token", "svc.intake.99999999999.00"):
        for one in operations:
            if not one.is_open:
                answer = send(system, world, one, token, wanted.get(one.id))
                assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED"), one


def test_the_wrong_role_is_refused(
    system: System, world: World, operations: list[Operation], portolan: Portolan, demo: Demo
) -> None:
    wanted = bodies(world, portolan, demo)
    clients = system.demo_content()["clients"]
    for one in operations:
        if one.is_open or "signed_in" in one.roles:
            continue
        outsiders = [client for client in clients if not one.roles & set(client["roles"])]
        assert outsiders, one
        for client in outsiders:
            actor = demo.actor(client_id=client["client_id"])
            answer = send(system, world, one, portolan.token(actor.credentials), wanted.get(one.id))
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), (one, client["client_id"])


def stranger_for(demo: Demo, operation: Operation, world: World) -> Actor:
    """Somebody who holds the role, of an organisation the world is not about."""
    if operation.roles & {"bank_officer"}:
        holder = demo.actor(client_id=_other_bank(demo, world))
        return holder
    role = "org_admin" if "org_admin" in operation.roles else "declarant"
    return demo.actor(kind="exporter", role=role)


def _other_bank(demo: Demo, world: World) -> str:
    code = "BANK-" + world.title["body"]["bank"]
    return next(str(one["client_id"]) for one in demo.clients if one["kind"] == "bank" and one["agency_code"] != code)


def test_another_organisation_sees_and_does_nothing(
    system: System, world: World, operations: list[Operation], portolan: Portolan, demo: Demo
) -> None:
    wanted = bodies(world, portolan, demo)
    for one in operations:
        verdict = VERDICTS[one.id]
        if verdict in (PUBLIC, SOLE) or one.id in LINE_BY_LINE:
            continue
        stranger = stranger_for(demo, one, world)
        answer = send(system, world, one, portolan.token(stranger.credentials), wanted.get(one.id))
        if verdict == HIDDEN:
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), (one, answer.text)
        elif verdict == REFUSED:
            assert answer.status_code in (403, 404), (one, answer.text)
            assert answer.json()["code"] in ("FORBIDDEN", "MANDATE_REQUIRED", "NOT_FOUND"), (one, answer.text)
        else:
            assert answer.status_code == (201 if verdict == NEW else 200), (one, answer.text)
            for private in ("document_id", "draft_id", "task_id", "visit_id", "notification_id", "endpoint_id"):
                assert world.ids[private] not in answer.text, one


def test_a_revoked_mandate_bites_within_five_seconds(
    system: System, portolan: Portolan, demo: Demo, broker: Actor
) -> None:
    document = submitted(portolan, demo, broker)
    owner = document["owner_organisation_id"]
    importer = demo.actor(organisation_key=key_of(demo, owner), role="org_admin")
    path = f"/v1/organisations/{owner}/mandates"
    held = [
        one
        for one in portolan.items(path, importer.credentials)
        if one["agent_organisation_id"] == broker.organisation_id and not one.get("revoked_at")
    ]
    for one in held:
        portolan.post(f"{path}/{one['id']}:revoke", importer.credentials, {})
    try:
        assert_refused_soon(portolan, demo, broker)
        etag = portolan.etag(f"/v1/documents/{document['id']}", broker.credentials)
        with pytest.raises(Problem) as refused:
            portolan.call(
                *("POST", f"/v1/documents/{document['id']}:withdraw", broker.credentials),
                body={"reason": "x"},
                if_match=etag,
            )
        assert refused.value.code == "MANDATE_REQUIRED"
    finally:
        for one in held:
            renewed = {key: one[key] for key in ("agent_organisation_id", "powers", "document_types", "valid_to")}
            portolan.post(path, importer.credentials, renewed | {"valid_from": one["valid_from"]}, key=new_key())
    portolan.post("/v1/documents", broker.credentials, submission(portolan, demo), key=new_key())


def assert_refused_soon(portolan: Portolan, demo: Demo, broker: Actor) -> None:
    began = time.monotonic()
    while (refusal := _refusal(portolan, demo, broker)) is None:
        assert time.monotonic() - began < MANDATE_BITES_S_MAX
        time.sleep(0.2)
    assert (refusal.status, refusal.code) == (403, "MANDATE_REQUIRED")


def _refusal(portolan: Portolan, demo: Demo, broker: Actor) -> Problem | None:
    try:
        portolan.post("/v1/documents", broker.credentials, submission(portolan, demo), key=new_key())
    except Problem as problem:
        return problem
    return None


def test_keys_rotate_without_a_refused_request(system: System, portolan: Portolan, demo: Demo, broker: Actor) -> None:
    operator = demo.actor(kind="operator", role="operator_admin")
    for _ in range(3):
        portolan.post("/v1/signing-keys:rotate", operator.credentials)
        for _ in range(20):
            fresh = httpx.post(
                f"{system.base_url}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(broker.credentials.client_id, broker.credentials.client_secret),
            ).json()["access_token"]
            answer = httpx.get(f"{system.base_url}/v1/documents", headers={"authorization": f"Bearer {fresh}"})
            assert answer.status_code == 200
            old = portolan.token(broker.credentials)
            assert (
                httpx.get(f"{system.base_url}/v1/documents", headers={"authorization": f"Bearer {old}"}).status_code
                == 200
            )
