"""Which of a document type's moves the golden cases make, and which nobody has seen made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from packs import Pack

from portolan_cli.golden.runner import Play

# What customs does may leave a title in its state: the timeline then tells of the act alone.
EVENT_OF_ACT = {"imputed": "impute_partially", "released": "release_imputation"}
END: Mapping[str, Any] = {"kind": "end"}


class Move(NamedTuple):
    """A transition of the pack, as one document made it or may make it."""

    origin: str
    event: str
    to: str

    def __str__(self) -> str:
        return f"{self.origin} {self.event} {self.to}"


@dataclass(frozen=True)
class Coverage:
    document_type: str
    made: Sequence[Move]
    missing: Sequence[Move]

    @property
    def share(self) -> str:
        return f"{len(self.made)} of {len(self.made) + len(self.missing)}"


def coverage(pack: Pack, plays: Iterable[Play]) -> list[Coverage]:
    seen: dict[str, set[Move]] = {}
    for play in plays:
        for name, timeline in play.timelines.items():
            seen.setdefault(play.documents[name].type, set()).update(moves(timeline["items"]))
    return [_of_type(pack, key, seen.get(key, set())) for key in pack.document_types]


def _of_type(pack: Pack, key: str, seen: set[Move]) -> Coverage:
    possible = [Move(move.from_, move.event, move.to) for move in pack.document_types[key].transitions]
    return Coverage(key, [move for move in possible if move in seen], [move for move in possible if move not in seen])


def moves(items: Sequence[Mapping[str, Any]]) -> Iterator[Move]:
    """Of one timeline, those included that ended where they began."""
    state = ""
    for item, following in pairwise([*items, END]):
        if item["kind"] == "state":
            if item.get("from"):
                yield Move(item["from"], item["event"], item["to"])
            state = item["to"]
        elif item["kind"] in EVENT_OF_ACT and following["kind"] != "state":
            yield Move(state, EVENT_OF_ACT[item["kind"]], state)
