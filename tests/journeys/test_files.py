"""A file beside a document, the timeline as it grows, and who looked: over public HTTP, every service up."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import httpx
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key, submission
from tests.journeys.conftest import System
from tests.journeys.titles import bank_of, eventually_state, eventually_task

INVOICE = b"%PDF-1.7\n" + b"an invoice of the journeys " * 20_000


def authorised(portolan: Portolan, actor: Actor) -> dict[str, str]:
    return {"authorization": f"Bearer {portolan.token(actor.credentials)}"}


def filed_with(portolan: Portolan, demo: Demo, broker: Actor, sha256: str) -> dict[str, Any]:
    attachments = [{"sha256": sha256, "kind": "INVOICE", "name": "invoice.pdf"}]
    body = submission(portolan, demo, attachments=attachments)
    document: dict[str, Any] = portolan.post("/v1/documents", broker.credentials, body, key=new_key())
    return document


def test_a_file_goes_where_its_document_goes(system: System, portolan: Portolan, demo: Demo, broker: Actor) -> None:
    url = f"{system.base_url}/v1/attachments"
    stored = httpx.post(url, content=INVOICE, headers=authorised(portolan, broker)).json()
    assert (stored["sha256"], stored["media_type"]) == (hashlib.sha256(INVOICE).hexdigest(), "application/pdf")
    document = filed_with(portolan, demo, broker, stored["sha256"])
    bank = bank_of(demo, document)
    eventually_task(portolan, bank, document["id"])
    fetched = httpx.get(f"{url}/{stored['sha256']}", headers=authorised(portolan, bank))
    assert fetched.content == INVOICE
    stranger = demo.actor(kind="exporter", role="declarant")
    assert httpx.get(f"{url}/{stored['sha256']}", headers=authorised(portolan, stranger)).status_code == 404
    kept = system.home / "attachments" / stored["sha256"][:2] / stored["sha256"][2:4] / stored["sha256"]
    assert kept.read_bytes() == INVOICE


def test_a_document_whose_file_nobody_sent_is_refused(portolan: Portolan, demo: Demo, broker: Actor) -> None:
    attachments = [{"sha256": "0" * 64, "kind": "OTHER", "name": "nothing"}]
    body = submission(portolan, demo, attachments=attachments)
    shown = portolan.post("/v1/documents:simulate", broker.credentials, body)
    wrong = [(one["pointer"], one["code"]) for one in shown["errors"]]
    assert wrong == [("/body/attachments/0/sha256", "UNKNOWN_ATTACHMENT")]


def test_the_timeline_is_followed_as_it_grows_and_its_reading_is_seen(
    system: System, portolan: Portolan, demo: Demo, broker: Actor
) -> None:
    document: dict[str, Any] = portolan.post(
        "/v1/documents", broker.credentials, submission(portolan, demo), key=new_key()
    )
    url = f"{system.base_url}/v1/documents/{document['id']}"
    items: list[dict[str, Any]] = []
    follower = threading.Thread(target=follow, args=(url, authorised(portolan, broker), items))
    follower.start()
    bank = bank_of(demo, document)
    task = eventually_task(portolan, bank, document["id"])
    portolan.post(f"/v1/tasks/{task['id']}:claim", bank.credentials)
    portolan.post(f"/v1/tasks/{task['id']}:decide", bank.credentials, {"outcome": "accept"})
    eventually_state(portolan, broker, document["id"], "DOMICILED")
    follower.join(30)
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
    shown = portolan.get(f"/v1/documents/{document['id']}/timeline", broker.credentials)["items"]
    assert items == shown[: len(items)]
    owner = demo.actor(organisation_key=_key_of(demo, document["owner_organisation_id"]), role="org_admin")
    accesses = portolan.items(f"/v1/documents/{document['id']}/accesses", owner.credentials)
    actions = {one["action"] for one in accesses}
    assert {"submit_document", "follow_timeline", "get_document", "get_timeline", "decide_task"} <= actions


def _key_of(demo: Demo, organisation_id: str) -> str:
    return next(str(one["key"]) for one in demo.organisations if one["id"] == organisation_id)


def follow(url: str, headers: dict[str, str], items: list[dict[str, Any]]) -> None:
    """Comes again after every third item, as a client whose connection breaks, until the bank has decided."""
    while not any(item["kind"] == "task_decided" for item in items):
        last = {"last-event-id": str(items[-1]["seq"])} if items else {}
        with httpx.stream("GET", f"{url}/timeline/stream", headers=headers | last, timeout=20) as answer:
            data = (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))
            for number, line in enumerate(data, 1):
                items.append(json.loads(line))
                if number == 3 or items[-1]["kind"] == "task_decided":
                    break
