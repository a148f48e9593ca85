"""Shape of what callers send: a compiled JSON Schema, code lists and date bounds, faults in the caller's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import jsonschema_rs
from kit.errors import Violation
from packs.formats import FORMATS
from packs.pointers import EACH, pointer

from intake.domain.wording import violation

VIOLATIONS_MAX = 50
OPTIONS_SHOWN_MAX = 20
DATE_EARLIEST = "1970-01-01"
DATE_LATEST = "2199-12-31"
SCHEMA_DEPTH_MAX = 40

Path = tuple[str, ...]
Members = Callable[[str], frozenset[str]]

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Probe:
    """A place in the form whose strings are codes of a list, or dates (`list` empty)."""

    path: Path
    list: str


class Mark(StrEnum):
    """What a form may say of a place beside its shape."""

    ATTACHMENT = "x-attachment"
    REFERENCE = "x-reference"
    SEARCH = "x-search"


@dataclass(frozen=True, slots=True)
class Marked:
    """A text that stands at a marked place. `says` is the mark's own value, `member` the name of the place."""

    pointer: str
    member: str
    says: str
    text: str


class Shape:
    """Compiled once per document type."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, formats=FORMATS)
        places = list(_places(schema, schema, (), 0))
        self._probes = tuple(dict.fromkeys(probe for place in places for probe in _probes(*place)))
        self._marks = {
            mark: tuple(dict.fromkeys((path, str(inner[mark])) for path, inner in places if inner.get(mark)))
            for mark in Mark
        }

    def violations(self, value: Any, members: Members, language: str, root: str = "") -> list[Violation]:
        """Code lists and dates are looked at only in what has the right shape."""
        if not self._validator.is_valid(value):
            return list(islice(self._shape_faults(value, language, root), VIOLATIONS_MAX))
        return list(islice(self._code_faults(value, members, language, root), VIOLATIONS_MAX))

    def marked(self, value: Any, mark: Mark, root: str = "") -> list[Marked]:
        """What the value says at the places that the form marks so."""
        return [
            Marked(place, _member(path), says, text)
            for path, says in self._marks[mark]
            for place, text in _leaves(value, path, root)
        ]

    def _shape_faults(self, value: Any, language: str, root: str) -> Iterator[Violation]:
        for error in self._validator.iter_errors(value):
            yield from _told(error, root + pointer(error.instance_path), language)

    def _code_faults(self, value: Any, members: Members, language: str, root: str) -> Iterator[Violation]:
        for probe in self._probes:
            allowed = members(probe.list) if probe.list else None
            for place, found in _leaves(value, probe.path, root):
                if allowed is None and not DATE_EARLIEST <= found <= DATE_LATEST:
                    yield violation(place, "DATE_OUT_OF_RANGE", language, earliest=DATE_EARLIEST, latest=DATE_LATEST)
                elif allowed is not None and found not in allowed:
                    yield violation(place, "UNKNOWN_CODE", language, list=probe.list)


def _told(error: jsonschema_rs.ValidationError, place: str, language: str) -> Iterator[Violation]:
    kind = error.kind
    name = str(kind.name)
    code = _HUMP.sub("_", name).upper()
    if name == "required":
        yield violation(place + pointer([kind.value]), code, language)
    elif name in {"additionalProperties", "unevaluatedProperties"}:
        for unexpected in kind.value[:VIOLATIONS_MAX]:
            yield violation(place + pointer([unexpected[:80]]), "ADDITIONAL_PROPERTIES", language)
    else:
        yield violation(place, code, language, **_values(name, kind.value))


def _values(name: str, value: Any) -> dict[str, Any]:
    """What the sentences of wording.json may speak of."""
    if name == "enum":
        return {"options": ", ".join(map(str, value[:OPTIONS_SHOWN_MAX]))}
    if name == "const":
        return {"options": str(value)[:80]}
    if name == "type":
        return {"types": ", ".join(map(str, value))}
    return {"limit": value, "format": value, "pattern": value}


def marked(schema: Any, mark: str, value: Any) -> tuple[Path, ...]:
    """Every place whose schema carries the mark with this very value; what lies within goes with it."""
    found = [path for path, inner in _places(schema, schema, (), 0) if path and inner.get(mark) is value]
    return tuple(path for path in dict.fromkeys(found) if not any(_is_within(path, other) for other in found))


def _is_within(path: Path, other: Path) -> bool:
    return len(other) < len(path) and path[: len(other)] == other


def _places(schema: Any, root: Mapping[str, Any], path: Path, depth: int) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every subschema, and where in the value it speaks of."""
    if not isinstance(schema, Mapping) or depth > SCHEMA_DEPTH_MAX:
        return
    yield path, schema
    for inner, step in _inner(schema, root):
        yield from _places(inner, root, path + step, depth + 1)


def _probes(path: Path, schema: Mapping[str, Any]) -> Iterator[Probe]:
    if "x-list" in schema:
        yield Probe(path, str(schema["x-list"]))
    elif schema.get("format") == "date":
        yield Probe(path, "")


def _member(path: Path) -> str:
    return next((step for step in reversed(path) if step != EACH), "")


def _inner(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[tuple[Any, Path]]:
    for name, inner in (schema.get("properties") or {}).items():
        yield inner, (name,)
    if "items" in schema:
        yield schema["items"], (EACH,)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(keyword) or ():
            yield inner, ()
    for keyword in ("then", "else"):
        yield schema.get(keyword), ()
    if str(schema.get("$ref", "")).startswith("#/$defs/"):
        yield (root.get("$defs") or {}).get(schema["$ref"].removeprefix("#/$defs/")), ()


def _leaves(value: Any, path: Path, place: str) -> Iterator[tuple[str, str]]:
    """Every string at the path, with its pointer."""
    for index, step in enumerate(path):
        if step == EACH:
            if isinstance(value, list):
                for number, item in enumerate(value):
                    yield from _leaves(item, path[index + 1 :], f"{place}/{number}")
            return
        if not isinstance(value, dict) or step not in value:
            return
        value, place = value[step], f"{place}/{step}"
    if isinstance(value, str):
        yield place, value
