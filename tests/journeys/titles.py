"""Bringing a title to where customs may impute it."""

import time
from typing import Any

from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo

EVENTUAL_S_MAX = 20.0


def eventually_task(portolan: Portolan, officer: Actor, document_id: str) -> dict[str, Any]:
    limit = time.monotonic() + EVENTUAL_S_MAX
    while time.monotonic() < limit:
        for task in portolan.items("/v1/tasks", officer.credentials, state="OPEN"):
            if task["document_id"] == document_id:
                return task
        time.sleep(0.1)
    raise AssertionError(f"no task on {document_id} for {officer.organisation_name}")


def eventually_state(portolan: Portolan, reader: Actor, document_id: str, state: str) -> dict[str, Any]:
    limit = time.monotonic() + EVENTUAL_S_MAX
    while True:
        document: dict[str, Any] = portolan.get(f"/v1/documents/{document_id}", reader.credentials)
        if document["state"] == state:
            return document
        assert time.monotonic() < limit, f"still {document['state']}, not {state}"
        time.sleep(0.1)


def bank_of(demo: Demo, document: dict[str, Any]) -> Actor:
    return demo.actor(kind="bank", agency_code="BANK-" + document["body"]["bank"])


def accepted(portolan: Portolan, demo: Demo, document: dict[str, Any]) -> dict[str, Any]:
    """The bank, then customs, accept."""
    customs = demo.actor(kind="customs")
    for officer in (bank_of(demo, document), customs):
        task = eventually_task(portolan, officer, document["id"])
        portolan.post(f"/v1/tasks/{task['id']}:decide", officer.credentials, {"outcome": "accept"})
    return eventually_state(portolan, customs, document["id"], "CUSTOMS_ACCEPTED")


def imputation(number: str, value: str, unit: str, line: str = "1") -> dict[str, Any]:
    return {
        "declaration_number": number,
        "declaration_line": line,
        "office": "309",
        "registered_on": "2026-11-20",
        "quantity": {"value": value, "unit": unit},
        "value": {"amount_minor": 100_00, "currency": "USD"},
    }


def payment(number: str, amount_minor: int, kind: str = "ADVANCE", currency: str = "USD") -> dict[str, Any]:
    return {
        "payment_number": number,
        "paid_on": "2026-06-01",
        "kind": kind,
        "amount": {"amount_minor": amount_minor, "currency": currency},
    }
