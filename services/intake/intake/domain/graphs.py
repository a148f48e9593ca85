"""The documents around one document, as far as the caller may see them and the limits reach."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from intake.domain.documents import Document

DEPTH_MAX = 5
NODES_MAX = 200
EDGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Edge:
    kind: str
    source: str
    target: str


@dataclass(slots=True)
class Graph:
    """`left_off`: there is more than the limits let through."""

    nodes: dict[str, Document]
    edges: dict[Edge, None] = field(default_factory=dict)
    left_off: bool = False

    def grow(self, found: Collection[Edge], documents: Iterable[Document]) -> set[str]:
        """Takes up what was found, as far as both of its ends are there; answers the ids that are new."""
        new = {one.id: one for one in documents if one.id not in self.nodes}
        room = NODES_MAX - len(self.nodes)
        self.left_off |= len(new) > room or len(found) >= EDGES_MAX
        kept = dict(sorted(new.items())[:room])
        self.nodes |= kept
        for edge in found:
            if edge.source in self.nodes and edge.target in self.nodes and len(self.edges) < EDGES_MAX:
                self.edges[edge] = None
        return set(kept)

    def unknown(self, found: Iterable[Edge]) -> set[str]:
        return {end for edge in found for end in (edge.source, edge.target) if end not in self.nodes}

    @property
    def documents(self) -> Sequence[Document]:
        return list(self.nodes.values())
