"""What a case leaves behind: state, ledger, charges, notifications, a timeline without gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portolan_cli.client import Problem, Unreachable
from portolan_cli.golden.expectations import (
    Difference,
    charge_differences,
    counted_charges,
    counted_credits,
    credit_differences,
    differences,
    in_app,
    notification_differences,
    timeline_gaps,
)
from portolan_cli.golden.stage import Document, Stage

# Sees every charge, whoever pays.
BOOKKEEPER = "finance"

Compare = Callable[[Stage, str, Document, Any], list[Difference]]


def compare(stage: Stage) -> list[Difference]:
    return [
        found
        for expected in stage.case.ending
        for kind, compare_kind in COMPARISONS.items()
        if kind in expected
        for found in _eventually_none(stage, expected, kind, compare_kind)
    ]


def _eventually_none(stage: Stage, expected: Mapping[str, Any], kind: str, look: Compare) -> list[Difference]:
    name = expected["document"]
    document = stage.document(name)
    return stage.eventually(lambda: look(stage, name, document, expected[kind]), lambda found: not found)


def _state(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    return differences(f"{name}.state", expected, read(stage, document)["state"])


def _ledger(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    ledger = stage.portolan.get(f"/v1/documents/{document.id}/ledger", document.submitter)
    return differences(f"{name}.ledger", expected, ledger)


def _settlement(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    settlement = stage.portolan.get(f"/v1/documents/{document.id}/settlement", document.submitter)
    return differences(f"{name}.settlement", expected, settlement)


def _charges(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    charged = charges_of(stage, document)
    return [*charge_differences(name, expected, charged), *credit_differences(name, expected, charged)]


def charges_of(stage: Stage, document: Document) -> list[dict[str, Any]]:
    by = stage.demo.actor(kind=BOOKKEEPER).credentials
    return stage.portolan.items("/v1/charges", by, document_id=document.id)


def _notifications(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    return [
        found
        for recipient in expected
        for found in notification_differences(name, recipient, _feed(stage, recipient["to"], document))
    ]


def _feed(stage: Stage, recipient: str, document: Document) -> list[dict[str, Any]]:
    return stage.portolan.items("/v1/notifications", stage.actor(recipient).credentials, document_id=document.id)


def _timeline(stage: Stage, name: str, document: Document, expected: Any) -> list[Difference]:
    if expected != "complete":
        return differences(f"{name}.timeline", expected, timeline(stage, document))
    return timeline_gaps(name, timeline(stage, document), read(stage, document)["state"])


COMPARISONS: Mapping[str, Compare] = {
    "state": _state,
    "ledger": _ledger,
    "settlement": _settlement,
    "charges": _charges,
    "notifications": _notifications,
    "timeline": _timeline,
}


@dataclass(frozen=True)
class Effects:
    """All that happened to one document, countable: two plays of a case must not differ in it, whatever was killed."""

    state: str
    charges: Counter[tuple[str, int, str]]
    credits: Counter[tuple[str, str, int]]
    notices: Counter[tuple[str, str, str]]


def effects(stage: Stage) -> dict[str, Effects]:
    return {entry["document"]: _effects(stage, entry) for entry in stage.case.ending}


def _effects(stage: Stage, entry: Mapping[str, Any]) -> Effects:
    document = stage.document(entry["document"])
    recipients = [recipient["to"] for recipient in entry.get("notifications", [])]
    charged = charges_of(stage, document)
    return Effects(
        state=read(stage, document)["state"],
        charges=counted_charges(charged),
        credits=counted_credits(charged),
        notices=Counter(
            (recipient, notice["rule"], notice["language"])
            for recipient in recipients
            for notice in in_app(_feed(stage, recipient, document))
        ),
    )


def read(stage: Stage, document: Document) -> Mapping[str, Any]:
    content: Mapping[str, Any] = stage.portolan.get(f"/v1/documents/{document.id}", document.submitter)
    return content


def timeline(stage: Stage, document: Document) -> Mapping[str, Any]:
    content: Mapping[str, Any] = stage.portolan.get(f"/v1/documents/{document.id}/timeline", document.submitter)
    return content


def timelines(stage: Stage) -> dict[str, Mapping[str, Any]]:
    """For people to look at; a play that went wrong still shows what there is."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, document in stage.documents.items():
        try:
            found[name] = timeline(stage, document)
        except Problem:
            continue
        except Unreachable:
            break
    return found
