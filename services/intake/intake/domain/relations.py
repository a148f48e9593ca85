"""To which documents a document refers, and by which numbers it is found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from intake.domain.shape import Marked

ANY_TYPE = "*"

_NOT_IN_KEY = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class Link:
    """`kind` is the name of the member that refers; `carried` are pairs of pointers, here and there, of one value."""

    kind: str
    target_document_id: str
    target_version: int = 1
    carried: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    id: str
    reference: str
    type: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class SearchKey:
    kind: str
    key: str


def search_key(text: str) -> str:
    """As numbers are compared: however they were cased, spaced and hyphenated."""
    return _NOT_IN_KEY.sub("", text.upper())


def search_keys(marked: Iterable[Marked]) -> list[SearchKey]:
    keys = (SearchKey(one.says, search_key(one.text)) for one in marked)
    return list(dict.fromkeys(key for key in keys if key.key))


def is_of(document_type: str, asked: str) -> bool:
    """Whether a type is one a mark asks for, or of a family it asks for: `import_title` has `import_title.x`."""
    families = [one.rstrip(".") for one in asked.split()]
    return asked == ANY_TYPE or any(document_type == one or document_type.startswith(f"{one}.") for one in families)


def links(marked: Sequence[Marked], targets: Collection[Target], own_id: str) -> tuple[list[Link], list[str]]:
    """The links that hold, and the pointers of those that do not."""
    by_name: Mapping[str, Target] = {name: one for one in targets for name in (one.id, one.reference)}
    found = [(place, by_name.get(name_of(place.text))) for place in marked]
    held = [
        (place, target)
        for place, target in found
        if target is not None and target.id != own_id and is_of(target.type, place.says)
    ]
    kept = {place.pointer for place, _ in held}
    unique = dict.fromkeys(Link(place.member, target.id, target.version) for place, target in held)
    return list(unique), [place.pointer for place in marked if place.pointer not in kept]


def name_of(text: str) -> str:
    """An id is written small, a reference in capitals."""
    return text.upper() if _is_reference_like(text) else text.lower()


def _is_reference_like(text: str) -> bool:
    return text.count("-") == 3
