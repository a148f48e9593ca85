"""Representations, as services give them."""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from portolan.billing.v1 import billing_pb2
from portolan.routing.v1 import routing_pb2
from portolan.type.v1 import type_pb2

AT = "2026-03-01T08:30:00.000000Z"
STAMP = Timestamp(seconds=1_772_353_800)

DOCUMENT_TYPE = {
    "type": "paper.a",
    "labels": {"fr": "Papier", "ar": "ورقة", "en": "Paper"},
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "paper.a",
        "type": "object",
        "additionalProperties": False,
        "required": ["lines"],
        "properties": {"lines": {"type": "array", "maxItems": 9, "items": {"$ref": "#/$defs/line"}}},
        "$defs": {"line": {"type": "object", "properties": {"hs_code": {"type": "string", "maxLength": 6}}}},
        "examples": [{"lines": [{"hs_code": "640399"}]}],
    },
    "states": [{"key": "REGISTERED", "labels": {}, "kind": "open"}],
    "transitions": [],
    "fields": [],
}


def a_document(document_id: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"id": document_id, "reference": f"PA-2026-{document_id}", "type": "paper.a", "state": "REGISTERED"},
        **{"state_label": "Registered", "version": 1, "owner_organisation_id": "org-a"},
        **{"submitter_organisation_id": "org-a", "mandate_id": None, "pack_version": "1", "submitted_at": AT},
        **{"updated_at": AT, "valid_until": None, "body": {}, "receipt": {}},
        **changes,
    }


def a_condition(document_id: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"id": "c-1", "document_id": document_id, "code": "certificate", "label": "A certificate"},
        **{"parameters": {}, "remarks": None, "agency": "MIC", "step": "decision", "imposed_at": AT},
        **{"blocks": "release", "satisfied_by": "attachment", "satisfied_in": None, "state": "OPEN"},
        **{"satisfied_at": None, "attachment": None},
        **changes,
    }


def a_node(document_id: str) -> dict[str, Any]:
    shown = a_document(document_id)
    names = ("id", "reference", "type", "state", "state_label", "owner_organisation_id", "updated_at")
    return {name: shown[name] for name in names} | {"type_label": "Paper A"}


def a_draft_summary(draft_id: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"id": draft_id, "type": "paper.a", "label": "", "template": False, "owner_organisation_id": "org-a"},
        **{"writer_organisation_id": "org-a", "written_by": "p", "copied_from": None, "document": None},
        **{"price_lock": {"price_version": "2026", "until": "2999-01-01T00:00:00Z"}},
        **{"created_at": AT, "updated_at": AT},
        **changes,
    }


def a_draft(draft_id: str, **changes: Any) -> dict[str, Any]:
    wrong = {"pointer": "/body/total", "code": "TYPE", "message": "must be of type integer"}
    return {**a_draft_summary(draft_id), "body": {}, "missing": ["/body/lines"], "errors": [wrong], **changes}


AN_ORIGIN = {
    **{"pointer": "/a", "document_id": "d-2", "reference": "A-2", "type": "paper.a", "version": 1},
    "source_pointer": "/b",
}


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def an_imputation(document_id: str, state: str = "CONSUMED") -> dict[str, Any]:
    quantity = {"value": "1", "unit": "KGM"}
    return {
        **{"id": "i-1", "document_id": document_id, "state": state, "declaration_number": "n", "declaration_line": "1"},
        **{"title_line": 1, "office": "o", "registered_on": "2026-03-01", "quantity": quantity, "remaining": quantity},
        **{"value": {"amount_minor": 1, "currency": "XXX"}, "imputed_at": AT},
    }


def a_told_event(number: str) -> dict[str, Any]:
    return {
        **{"event_id": "e-1", "declaration_number": number, "event": "COUPLED", "state": "HELD"},
        **{"occurred_at": AT, "received_at": AT, "applied_at": None, "refusal": None},
        **{"document_id": None, "reference": None, "document_state": None, "expected": ["REGISTERED"]},
    }


def a_visit(visit_id: str) -> routing_pb2.Visit:
    slot: dict[str, Any] = {"place": "Quay 3", "starts_at": STAMP, "ends_at": STAMP, "proposed_at": STAMP}
    party = routing_pb2.VisitParty(party="operator", confirmed_at=STAMP)
    return routing_pb2.Visit(id=visit_id, number=1, state="PROPOSED", proposed_by="operator", parties=[party], **slot)


def a_payment(document_id: str, state: str = "RECORDED") -> dict[str, Any]:
    money = {"amount_minor": 1, "currency": "XXX"}
    return {
        **{"id": "p-1", "document_id": document_id, "state": state, "payment_number": "n", "kind": "ADVANCE"},
        **{"paid_on": "2026-03-01", "amount": money, "remaining": money, "agency": "BANK-1", "recorded_at": AT},
    }


def a_task(task_id: str) -> routing_pb2.Task:
    return routing_pb2.Task(
        id=task_id,
        state="OPEN",
        asked={"fr": "Décidez", "en": "Decide"},
        form_schema_json=b'{"type":"object"}',
        outcomes=["grant"],
        reason_codes=[routing_pb2.ReasonCode(code="R1", labels={"fr": "Motif", "en": "Reason"})],
        opened_at=STAMP,
    )


def a_charge() -> billing_pb2.Charge:
    return billing_pb2.Charge(
        id="ch-1",
        tariff="T",
        labels={"fr": "Titre", "en": "Title"},
        amount=type_pb2.Money(amount_minor=3000, currency="XXX"),
        net=type_pb2.Money(amount_minor=2500, currency="XXX"),
        vat=type_pb2.Money(amount_minor=500, currency="XXX"),
        vat_rate="0.20",
        occurred_at=STAMP,
        recorded_at=STAMP,
        credits=[a_credit()],
    )


def a_credit() -> billing_pb2.Credit:
    return billing_pb2.Credit(
        id="cr-1",
        policy="RB",
        labels={"fr": "Retrait", "en": "Withdrawn"},
        amount=type_pb2.Money(amount_minor=1500, currency="XXX"),
        net=type_pb2.Money(amount_minor=1250, currency="XXX"),
        vat=type_pb2.Money(amount_minor=250, currency="XXX"),
        occurred_at=STAMP,
        recorded_at=STAMP,
    )


def a_rule_table(table_id: str) -> dict[str, Any]:
    report = {"from": AT, "to": AT, "limit": 10, "cases": 3, "changed": 1, "changed_kept": 1}
    return {
        "id": table_id,
        "pack_version": "1",
        "based_on": None,
        "state": "PROPOSED",
        **dict.fromkeys(("effective_from", "in_force_from", "published_by", "published_at", "withdrawn_by")),
        "note": "",
        "proposed_by": "u-1",
        "proposed_at": AT,
        "changes": {"added": ["R9"], "changed": [], "removed": []},
        "warnings": [{"pointer": "/rules/1", "message": "is never heard"}],
        "replay": {**report, "rules": {"R9": [1, 0]}, "tasks": {"X": 1}, "channels": {"green>red": 1}, "refused": {}},
        "rules": [{"id": "R9", "labels": {"en": "Rule"}}],
    }
