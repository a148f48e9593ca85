"""Documents around a document, and documents found by a number, described."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.shapes.common import Code, Key, Moment, Paged

DEPTH_MAX = 5
DEPTH_DEFAULT = 3
NUMBER = r"^([ ./:_-]*[0-9A-Za-z]){4,64}[ ./:_-]*$"


class GraphFilter(msgspec.Struct, forbid_unknown_fields=True):
    """How many links away from the document."""

    depth: Annotated[int, msgspec.Meta(ge=1, le=DEPTH_MAX)] = DEPTH_DEFAULT


class Node(msgspec.Struct, kw_only=True):
    id: str
    reference: str
    type: str
    type_label: str
    state: str
    state_label: str
    owner_organisation_id: str
    updated_at: Moment


class Edge(msgspec.Struct, rename={"from_": "from"}):
    """`kind` is the member of the body that refers."""

    kind: str
    from_: str
    to: str


class Graph(msgspec.Struct):
    """`left_off`: there is more than is shown at once."""

    document_id: str
    nodes: list[Node]
    edges: list[Edge]
    left_off: bool


class SearchFilter(Paged, kw_only=True):
    """The beginning of a number, at least four letters and digits; case, spaces and hyphens do not count."""

    q: Annotated[str, msgspec.Meta(max_length=80, pattern=NUMBER)]


class Match(msgspec.Struct):
    """`kind`: reference, declaration, container, consignment, certificate, ucr, or the member that refers."""

    kind: str
    key: str


class Hit(Node, kw_only=True):
    matches: list[Match]


class Hits(msgspec.Struct):
    """`left_off`: more fits than is looked at; a longer query finds the rest."""

    items: list[Hit]
    next_cursor: str | None
    left_off: bool


class Origin(msgspec.Struct, kw_only=True):
    """The value at `pointer` is the one at `source_pointer` of that version of that document."""

    pointer: str
    document_id: str
    reference: str
    type: str
    version: int
    source_pointer: str


class Provenance(msgspec.Struct, kw_only=True):
    """Of the version in effect; what has no origin was given here."""

    document_id: str
    reference: str
    version: int
    origins: list[Origin]


class NewPrefill(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename={"sources": "from"}):
    """`from`: ids or references of documents you may see."""

    type: Code
    sources: Annotated[list[Key], msgspec.Meta(min_length=1, max_length=20)]


class Prefilled(msgspec.Struct, kw_only=True):
    """`body` is what the sources say of a document of this type: complete it, then submit it."""

    type: str
    body: dict[str, Any]
    origins: list[Origin]
