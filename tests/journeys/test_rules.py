"""Rules published through the public door: two persons, a replay, and from their moment on everybody's documents."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from portolan_cli.client import Portolan, Problem
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key, submission
from tests.journeys.conftest import System
from tests.journeys.titles import eventually_task

IN_FORCE_S_MAX = 40.0
CITRUS = {
    "id": "R22-CITRUS",
    "labels": {"fr": "Agrumes : contrôle", "ar": "حوامض: مراقبة", "en": "Citrus: control"},
    "direction": "export",
    "hs": ["0805"],
    "agency": "DPM",
    "document": "citrus_permit",
    "stage": "control",
    "sla_seconds": 3600,
}


@pytest.fixture(scope="module")
def persons(demo: Demo) -> tuple[Actor, Actor]:
    first, second = (one for one in demo.clients if "rules_officer" in one["roles"])
    return demo.actor(client_id=str(first["client_id"])), demo.actor(client_id=str(second["client_id"]))


def published(portolan: Portolan, persons: tuple[Actor, Actor], proposed: dict[str, Any]) -> dict[str, Any]:
    proposer, publisher = persons
    path = f"/v1/rule-tables/{proposed['id']}"
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}
    replayed = portolan.post(f"{path}:replay", proposer.credentials, span)
    assert replayed["replay"]["cases"] > 0
    with pytest.raises(Problem) as refused:
        portolan.post(f"{path}:publish", proposer.credentials)
    assert refused.value.code == "FOUR_EYES"
    table: dict[str, Any] = portolan.post(f"{path}:publish", publisher.credentials)
    assert table["state"] == "PUBLISHED"
    return table


def agencies(portolan: Portolan, demo: Demo, broker: Actor) -> set[str]:
    asked = submission(portolan, demo, "export_title")
    simulated = portolan.post("/v1/documents:simulate", broker.credentials, asked)
    return {route["agency"] for route in simulated["routes"]}


def eventually(portolan: Portolan, demo: Demo, broker: Actor, *, asks: bool) -> None:
    began = time.monotonic()
    while ("DPM" in agencies(portolan, demo, broker)) is not asks:
        assert time.monotonic() - began < IN_FORCE_S_MAX
        time.sleep(0.5)


def export(portolan: Portolan, demo: Demo, broker: Actor) -> dict[str, Any]:
    document: dict[str, Any] = portolan.post(
        "/v1/documents", broker.credentials, submission(portolan, demo, "export_title"), key=new_key()
    )
    return document


def rules_of(portolan: Portolan, customs: Actor, document_id: str) -> dict[str, Any]:
    """Once its case is open."""
    began = time.monotonic()
    while (told := _routing(portolan, customs, document_id)) is None:
        assert time.monotonic() - began < IN_FORCE_S_MAX
        time.sleep(0.2)
    return told


def _routing(portolan: Portolan, customs: Actor, document_id: str) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = portolan.get(f"/v1/documents/{document_id}/routing", customs.credentials)
    except Problem as problem:
        if problem.code != "NOT_FOUND":
            raise
        return None
    return told


def test_rules_change_by_two_persons_and_go_back_by_two(
    system: System, portolan: Portolan, demo: Demo, broker: Actor, customs: Actor, persons: tuple[Actor, Actor]
) -> None:
    before = export(portolan, demo, broker)
    under_pack = rules_of(portolan, customs, before["id"])
    assert "R22-CITRUS" not in [rule["id"] for rule in under_pack["rules"]]
    patch = {"patch": {"added": [CITRUS]}, "note": "citrus"}
    proposed = portolan.post("/v1/rule-tables", persons[0].credentials, patch, key=new_key())
    table = published(portolan, persons, proposed)
    assert table["replay"]["rules"]["R22-CITRUS"][0] > 0
    changed = portolan.items(f"/v1/rule-tables/{table['id']}/replay", persons[0].credentials)
    assert before["id"] in [one["document_id"] for one in changed]
    eventually(portolan, demo, broker, asks=True)
    after = export(portolan, demo, broker)
    told = rules_of(portolan, customs, after["id"])
    assert told["table_version"] == table["id"]
    assert "R22-CITRUS" in [rule["id"] for rule in told["rules"]]
    assert told["weighed"]["reproduced"] is True
    back = portolan.post("/v1/rule-tables/pack:rollback", persons[0].credentials, {}, key=new_key())
    published(portolan, persons, back)
    eventually(portolan, demo, broker, asks=False)
    for document, rules in ((before, under_pack), (after, told)):
        assert rules_of(portolan, customs, document["id"])["rules"] == rules["rules"]
    foodex = demo.actor(kind="agency", agency_code="FOODEX")
    assert eventually_task(portolan, foodex, after["id"])["state"] == "OPEN"
