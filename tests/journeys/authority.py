"""What the authority test calls with: a world to name in paths, a well-formed body for each operation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo
from portolan_cli.golden.visits import slot

from tests.journeys.bodies import new_key, submission, submitted
from tests.journeys.conftest import System
from tests.journeys.titles import accepted, bank_of, eventually_task, imputation, payment
from tests.journeys.visits import a_visit

QUERIES = {"search_documents": "?q=EI-2026"}
# One for all calls: there are thousands, and each new one would read the certificates again.
CALLER = httpx.Client(timeout=10)
# Nobody listens there: the discard port.
WEBHOOK = {"url": "http://127.0.0.1:9/hook"}


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    roles: frozenset[str]

    @property
    def is_open(self) -> bool:
        return "anyone" in self.roles


@dataclass(frozen=True)
class World:
    """A document of the importer's, and everything around it that a path may name."""

    ids: Mapping[str, str]
    title: Mapping[str, Any]

    def path(self, operation: Operation) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.ids[match.group(1)], operation.path)


def a_world(system: System, portolan: Portolan, demo: Demo, broker: Actor, customs: Actor) -> World:
    title = accepted(portolan, demo, submitted(portolan, demo, broker))
    unit = title["body"]["lines"][0]["quantity"]["unit"]
    imputed = portolan.post(
        f"/v1/documents/{title['id']}/imputations",
        customs.credentials,
        imputation(f"{title['reference']}-a", "1", unit),
    )
    title_bank = bank_of(demo, title)
    paid = portolan.post(f"/v1/documents/{title['id']}/payments", title_bank.credentials, payment("P-a", 100))
    importer = demo.actor(organisation_key=key_of(demo, title["owner_organisation_id"]), role="org_admin")
    owner = title["owner_organisation_id"]
    waiting = submitted(portolan, demo, broker)
    bank = demo.actor(kind="bank", agency_code="BANK-" + waiting["body"]["bank"])
    task = eventually_task(portolan, bank, waiting["id"])
    mandates = portolan.items(f"/v1/organisations/{owner}/mandates", importer.credentials)
    clients = portolan.items(f"/v1/organisations/{owner}/clients", importer.credentials)
    users = portolan.items(f"/v1/organisations/{owner}/users", importer.credentials)
    feed = portolan.items("/v1/notifications", importer.credentials)
    endpoint = portolan.post("/v1/webhook-endpoints", importer.credentials, WEBHOOK, key=new_key())
    draft = portolan.post("/v1/drafts", broker.credentials, submission(portolan, demo))
    ids = {
        "draft_id": draft["id"],
        "document_id": waiting["id"],
        "imputation_id": imputed["id"],
        "payment_id": paid["id"],
        "task_id": task["id"],
        "visit_id": a_visit(portolan, demo, broker)["id"],
        "organisation_id": owner,
        "mandate_id": mandates[0]["id"],
        "client_id": clients[0]["id"],
        "user_id": users[0]["id"],
        "invitation_id": "nobodys",
        "notification_id": feed[0]["id"],
        "endpoint_id": endpoint["id"],
        "absence_id": "nobodys",
        "condition_id": "nobodys",
        "sha256": attachment(system, portolan.token(broker.credentials)),
        "number": declared(portolan, customs),
        "document_type": "import_title.ei",
        "table_id": "none",
        "type": "import_title.ei",
        "stage": "company",
        "company_number": "1",
        "list_name": "countries",
    }
    return World(ids, title)


def declared(portolan: Portolan, customs: Actor) -> str:
    schema = portolan.get("/v1/document-types/customs_declaration")["schema"]
    number = f"309-{new_key()[:24]}"
    event = {"event_id": new_key(), "event": "REGISTERED", "occurred_at": "2026-06-15T09:00:00Z"}
    registered = {**event, "declaration": {**schema["examples"][0], "number": number}}
    portolan.post(f"/v1/declarations/{number}/events", customs.credentials, registered)
    return number


def attachment(system: System, token: str) -> str:
    content = b"%PDF-1.7 the broker's own"
    headers = {"authorization": f"Bearer {token}"}
    stored = httpx.post(f"{system.base_url}/v1/attachments", content=content, headers=headers).json()
    return str(stored["sha256"])


def key_of(demo: Demo, organisation_id: str) -> str:
    return next(str(one["key"]) for one in demo.organisations if one["id"] == organisation_id)


def bodies(world: World, portolan: Portolan, demo: Demo) -> Mapping[str, Any]:
    """A well-formed body for each operation that takes one, so that what refuses is the caller, not the body."""
    return {
        **_of_documents(world, submission(portolan, demo)),
        **_of_titles(world.title["body"]["lines"][0]["quantity"]["unit"]),
        **_OF_CASES,
        **_OF_PEOPLE,
        **_of_mandates(demo.organisation_id("exporter")),
    }


def _of_documents(world: World, filing: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "submit_document": filing,
        "simulate_document": filing,
        "prefill_document": {"type": filing["type"], "from": [world.title["reference"]]},
        "withdraw_document": {"reason": "not mine"},
        "amend_document": {"body": filing["body"]},
        "complete_document": {"body": filing["body"]},
        "cancel_document": {"reason": "not mine"},
        "create_draft": filing,
        "replace_draft": filing,
        "change_draft": {"label": "not mine"},
        "copy_document": {},
        "copy_draft": {},
        "store_attachment": {"a": "stranger's file"},
    }


def _of_titles(unit: str) -> Mapping[str, Any]:
    return {
        "change_bank": {"bank": "011"},
        "impute_title": imputation("X1", "1", unit),
        "cancel_imputation": {},
        "record_payment": payment("P1", 1),
        "cancel_payment": {},
        "clear_title": {"reconciled": True},
    }


_OF_CASES: Mapping[str, Any] = {
    "tell_declaration": {"event_id": new_key(), "event": "COUPLED", "occurred_at": "2026-06-15T10:00:00Z"},
    "simulate_procedure": {"hs_code": "640399", "country": "CN", "direction": "import"},
    "propose_rules": {"patch": {"removed": ["R27"]}},
    "replay_rules": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
    "decide_task": {"outcome": "accept"},
    "propose_visit": {"place": "Quai 3", **slot(1)},
    "decline_visit": {"reason": "not mine"},
    "report_no_show": {"party": "operator"},
    "record_visit": {"findings": "not mine"},
    "request_information": {"questions": ["Why?"], "reason": "not mine"},
    "provide_information": {"answers": [{"question": 1, "answer": "not mine"}]},
    "satisfy_condition": {"attachment": "0" * 64},
    "assign_task": {"person": "nobody"},
    "create_absence": {
        **{"delegate": "a-colleague", "from": "2030-01-01T08:00:00Z", "to": "2030-01-02T08:00:00Z"},
    },
}


_OF_PEOPLE: Mapping[str, Any] = {
    "register_organisation": {
        **{"name": "Nobody", "kind": "broker", "language": "en", "billing_mode": "subscriber"},
    },
    "register_user": {
        **{"email": "x@nobody.example", "name": "X", "language": "en", "roles": ["declarant"]},
        **{"password": "correct horse battery staple"},
    },
    "invite_user": {"email": "x@nobody.example", "name": "X", "language": "en", "roles": ["declarant"]},
    "change_user_roles": {"roles": ["declarant"]},
    "register_client": {"name": "x", "roles": ["declarant"], "responsible_user_id": "x"},
    "create_webhook_endpoint": WEBHOOK,
    "put_notification_preferences": {"muted": []},
}


def _of_mandates(stranger: str) -> Mapping[str, Any]:
    return {
        "grant_mandate": {
            **{"agent_organisation_id": stranger, "powers": ["file"], "document_types": []},
            **{"valid_from": "2026-01-01T00:00:00Z", "valid_to": "2030-01-01T00:00:00Z"},
        },
    }


def send(system: System, world: World, operation: Operation, token: str, body: Any) -> httpx.Response:
    headers = {"idempotency-key": new_key(), "if-match": "*"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    content = {"json": body} if body is not None else {}
    if operation.id == "submit_documents":
        content = {"content": b"{}\n"}
        headers["content-type"] = "application/x-ndjson"
    if operation.id == "submit_file":
        content = {"content": b"remarks\nx\n", "params": {"type": "import_title.ei"}}
        headers["content-type"] = "text/csv"
    url = system.base_url + world.path(operation) + QUERIES.get(operation.id, "")
    return CALLER.request(operation.method, url, headers=headers, **content)
