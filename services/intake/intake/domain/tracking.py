"""The public JSON of what is tracked: graphs, hits of a search, declarations and their events, how long steps take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from kit import wire

from intake.domain.declarations import Recorded
from intake.domain.documents import Document
from intake.domain.durations import Duration
from intake.domain.graphs import Graph
from intake.domain.imputations import Imputation
from intake.domain.representation import imputation_json


@dataclass(frozen=True, slots=True)
class Labelled:
    """A document, with its type and state in somebody's language."""

    document: Document
    type_label: str
    state_label: str


def duration_json(duration: Duration) -> bytes:
    return msgspec.json.encode(
        {
            "type": duration.type,
            "step": duration.step,
            "agency": duration.agency,
            "median_seconds_90d": duration.median_seconds,
            "decided_90d": duration.samples,
            "computed_at": wire.rfc3339_or_none(duration.computed_at),
        }
    )


def graph_json(root: Document, nodes: Sequence[Labelled], graph: Graph) -> bytes:
    return msgspec.json.encode(
        {
            "document_id": root.id,
            "nodes": [_node(node) for node in nodes],
            "edges": [{"kind": edge.kind, "from": edge.source, "to": edge.target} for edge in graph.edges],
            "left_off": graph.left_off,
        }
    )


def hit_json(labelled: Labelled, matches: Iterable[tuple[str, str]]) -> bytes:
    return msgspec.json.encode(
        {**_node(labelled), "matches": [{"kind": kind, "key": key} for kind, key in matches]},
    )


def _node(labelled: Labelled) -> dict[str, Any]:
    document = labelled.document
    return {
        "id": document.id,
        "reference": document.reference,
        "type": document.type,
        "type_label": labelled.type_label,
        "state": document.state,
        "state_label": labelled.state_label,
        "owner_organisation_id": document.owner_organisation_id,
        "updated_at": wire.rfc3339(document.updated_at),
    }


def told_json(recorded: Recorded, document: Document | None, expected: Sequence[str]) -> bytes:
    """How an event stands, and where that leaves its declaration."""
    return msgspec.json.encode({**_event(recorded), **_mirror(document), "expected": expected})


def declaration_json(
    number: str,
    labelled: Labelled | None,
    expected: Sequence[str],
    events: Iterable[Recorded],
    imputations: Iterable[Imputation],
) -> bytes:
    document = labelled.document if labelled else None
    return msgspec.json.encode(
        {
            "number": number,
            **_mirror(document),
            "state_label": labelled.state_label if labelled else None,
            "owner_organisation_id": document.owner_organisation_id if document else None,
            "expected": expected,
            "events": [_event(event) for event in events],
            "imputations": [msgspec.Raw(imputation_json(imputation)) for imputation in imputations],
        }
    )


def _mirror(document: Document | None) -> dict[str, Any]:
    return {
        "document_id": document.id if document else None,
        "reference": document.reference if document else None,
        "document_state": document.state if document else None,
    }


def _event(recorded: Recorded) -> Mapping[str, Any]:
    told = recorded.told
    return {
        "event_id": told.event_id,
        "declaration_number": told.number,
        "event": told.event,
        "state": recorded.state,
        "occurred_at": wire.rfc3339(told.occurred_at),
        "received_at": wire.rfc3339(recorded.received_at),
        "applied_at": wire.rfc3339_or_none(recorded.applied_at),
        "refusal": recorded.refusal,
    }
