"""Documents around a document, and documents found by a number, described."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.shapes.common import Moment, Paged

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
