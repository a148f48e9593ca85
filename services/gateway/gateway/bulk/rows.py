"""What a file's rows say, gathered into bodies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from kit.errors import Invalid, PortolanError, TooLarge, Violation

from gateway.bulk.form import EACH, Column, Path

DOCUMENTS_MAX = 1_000
ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One document of a file, named by its first row; `wrong` says why it is none."""

    number: int
    idempotency_key: str
    body: dict[str, Any]
    wrong: PortolanError | None = None


class Items(dict[int, Any]):
    """A list while it is being filled: its places may come in any order."""


@dataclass(slots=True)
class Gathering:
    """A body that grows field by field."""

    _tree: dict[str, Any] = field(default_factory=dict)

    def put(self, column: Column, text: str, row: int = 0) -> bool:
        """False when the field says something else already."""
        place: Any = self._tree
        path = _placed(column.path, row)
        for step, following in pairwise(path):
            place = place.setdefault(step, Items() if isinstance(following, int) else {})
        value = column.value(text)
        return bool(place.setdefault(path[-1], value) == value)

    def body(self) -> dict[str, Any]:
        return dict(_plain(self._tree))


def _placed(path: Path, row: int) -> Path:
    return tuple(row if step == EACH else step for step in path)


def _plain(value: Any) -> Any:
    """Places that nothing was written in are no places."""
    if isinstance(value, Items):
        return [_plain(value[index]) for index in sorted(value)]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def contradiction(row: int, name: str) -> Invalid:
    told = Violation(f"/rows/{row}/{name}", "CONTRADICTION", "the rows of one document say different things here")
    return Invalid("INVALID_DOCUMENT", violations=[told])


def bounded(rows: Iterator[Row]) -> int:
    """How many documents there are. Raises TooLarge as soon as there are too many, and what is wrong with the file."""
    count = 0
    for _ in rows:
        count += 1
        if count > DOCUMENTS_MAX:
            facts = {"documents_max": str(DOCUMENTS_MAX)}
            raise TooLarge("TOO_LARGE", f"at most {DOCUMENTS_MAX} documents in a file", facts=facts)
    return count
