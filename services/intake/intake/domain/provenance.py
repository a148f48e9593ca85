"""Where a document's values come from: given once, carried to what refers to it, shown with their origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from packs import pointers
from packs.dictionary import CarriedField, Carry
from packs.pointers import EACH, values_at

from intake.domain.documents import Document
from intake.domain.relations import Target

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """A body beside the rules of what it has from others; `root` is where it stands in the request."""

    carries: Sequence[Carry]
    body: Body
    root: str


@dataclass(frozen=True, slots=True)
class Source:
    """A version of a document that another refers to, by the member `link`."""

    document_id: str
    reference: str
    type: str
    version: int
    link: str
    body: Body

    @classmethod
    def named(cls, target: Target) -> Source:
        """Without its content."""
        return cls(target.id, target.reference, target.type, target.version, "", {})


@dataclass(frozen=True, slots=True)
class Origin:
    pointer: str
    source: Source
    source_pointer: str


class Traced(NamedTuple):
    """`contradicted` are pointers where the origin has another value, and the pack lets none stand."""

    origins: list[Origin]
    contradicted: list[str]

    def carried(self, link: str, document_id: str) -> tuple[tuple[str, str], ...]:
        """The pointers of what came by this link from this document, here and there."""
        found = (one for one in self.origins if (one.source.link, one.source.document_id) == (link, document_id))
        return tuple((one.pointer, one.source_pointer) for one in found)


class _Found(NamedTuple):
    pointer: str
    source: Source


def traced(carries: Iterable[Carry], body: Body, sources: Sequence[Source]) -> Traced:
    """What a body has from its sources, as they stand."""
    origins: dict[str, Origin] = {}
    contradicted: dict[str, None] = {}
    for carry, field in _fields(carries):
        known_by_key = _known(carry, field, _feeding(carry, sources))
        for pointer, value in values_at(body, pointers.steps(field.path)):
            known = known_by_key.get(_key(carry, field, body, pointer, field.path), {})
            found = known.get(_written(value))
            if found is not None:
                origins.setdefault(pointer, Origin(pointer, found.source, found.pointer))
            elif known and field.enforced:
                contradicted[pointer] = None
    return Traced(list(origins.values()), list(contradicted))


def prefilled(carries: Iterable[Carry], sources: Sequence[Source]) -> tuple[dict[str, Any], list[Origin]]:
    """The part of a body that its sources already know. Lines come in the sources' order."""
    body: dict[str, Any] = {}
    origins: list[Origin] = []
    for carry, field in _fields(carries):
        feeding = _feeding(carry, sources)
        if feeding and EACH not in carry.link:
            _put(body, pointers.steps(carry.link), feeding[0].reference)
        offset = 0
        for source in feeding:
            for pointer, value in values_at(source.body, pointers.steps(field.origin)):
                place = _answering(field, pointer, offset)
                if _put(body, place, value):
                    origins.append(Origin(pointers.pointer(place), source, pointer))
            offset += _length(source.body, field.origin)
    return body, origins


def origins_json(document: Document, origins: Iterable[Origin]) -> bytes:
    shown = [_shown(origin) for origin in sorted(origins, key=lambda one: one.pointer)]
    return msgspec.json.encode(
        {"document_id": document.id, "reference": document.reference, "version": document.version, "origins": shown}
    )


def prefilled_json(type_key: str, body: Body, origins: Iterable[Origin]) -> bytes:
    return msgspec.json.encode({"type": type_key, "body": body, "origins": [_shown(origin) for origin in origins]})


def _shown(origin: Origin) -> dict[str, Any]:
    source = origin.source
    return {
        "pointer": origin.pointer,
        "document_id": source.document_id,
        "reference": source.reference,
        "type": source.type,
        "version": source.version,
        "source_pointer": origin.source_pointer,
    }


def _fields(carries: Iterable[Carry]) -> Iterator[tuple[Carry, CarriedField]]:
    return ((carry, field) for carry in carries for field in carry.fields)


def _feeding(carry: Carry, sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if source.link == carry.link_member and source.type in carry.from_]


def _known(carry: Carry, field: CarriedField, sources: Sequence[Source]) -> dict[bytes, dict[bytes, _Found]]:
    """What the sources say, by the key of the line they say it of, then by value; the first that says it counts."""
    known: dict[bytes, dict[bytes, _Found]] = {}
    for source in sources:
        for place, value in values_at(source.body, pointers.steps(field.origin)):
            of_line = known.setdefault(_key(carry, field, source.body, place, field.origin), {})
            of_line.setdefault(_written(value), _Found(place, source))
    return known


def _key(carry: Carry, field: CarriedField, body: Body, pointer: str, path: str) -> bytes:
    """Of the line that a pointer leads into; the key itself, and what is of no line, answer each other anywhere."""
    is_key = bool(carry.line_key) and field.path.endswith(f"/{carry.line_key}")
    return b"" if is_key or EACH not in path else _written(_line_value(body, pointer, path, carry.line_key))


def _written(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _line_value(body: Body, pointer: str, path: str, line_key: str) -> object:
    """The key of the line that a pointer leads into; None outside of lines."""
    if EACH not in path:
        return None
    line = pointers.steps(pointer)[: pointers.steps(path).index(EACH) + 1]
    return pointers.value_at(body, (*line, line_key))


def _answering(field: CarriedField, pointer: str, offset: int) -> tuple[str, ...]:
    """Where in the new body the value at a source's pointer goes; later sources' lines follow earlier ones'."""
    if EACH not in field.path:
        return pointers.steps(field.path)
    index = int(pointers.steps(pointer)[pointers.steps(field.origin).index(EACH)])
    return tuple(str(index + offset) if step == EACH else step for step in pointers.steps(field.path))


def _length(body: Body, path: str) -> int:
    steps = pointers.steps(path)
    if EACH not in steps:
        return 0
    lines = pointers.value_at(body, steps[: steps.index(EACH)])
    return len(lines) if isinstance(lines, list) else 0


def _put(body: dict[str, Any], steps: Sequence[str], value: object) -> bool:
    """False when the place is taken: the first source that knows it gave it."""
    inner: Any = body
    for step, following in pairwise(steps):
        inner = _member(inner, step, [] if following.isdigit() else {})
    if steps[-1] in inner:
        return False
    inner[steps[-1]] = value
    return True


def _member(holder: Any, step: str, empty: Any) -> Any:
    if isinstance(holder, list):
        holder.extend({} for _ in range(int(step) + 1 - len(holder)))
        return holder[int(step)]
    return holder.setdefault(step, empty)
