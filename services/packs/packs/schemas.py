"""Walking a document's JSON Schema: where its codes are, and which of a body's codes no list knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .codes import CodeList
from .pointers import EACH, Steps, pointer, steps, values_at

DEPTH_MAX = 32


class CodeField(NamedTuple):
    """`path` leads to the field in a body; `*` stands for every item of an array."""

    path: Steps
    list: str


class Field(NamedTuple):
    """What a person fills in: a value, not a group of values."""

    path: Steps
    schema: Mapping[str, Any]

    @property
    def pointer(self) -> str:
        return pointer(self.path)


class UnknownCode(NamedTuple):
    pointer: str
    list: str
    value: object


def code_fields(schema: Mapping[str, Any]) -> tuple[CodeField, ...]:
    return tuple(dict.fromkeys(_fields(schema, schema, (), 0)))


def fields(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """The leaves of a document's schema; of a field written in several alternatives, the first."""
    return tuple({field.path: field for field in reversed(list(_leaves(schema, schema, (), 0)))}.values())[::-1]


def unknown_codes(fields: tuple[CodeField, ...], body: object, lists: Mapping[str, CodeList]) -> Iterator[UnknownCode]:
    for field in fields:
        members = lists[field.list].members
        for place, value in values_at(body, field.path):
            if isinstance(value, str) and value not in members:
                yield UnknownCode(place, field.list, value)


def resolved(root: Mapping[str, Any], schema: Any) -> Any:
    """The schema a local reference stands for."""
    reference = schema.get("$ref", "") if isinstance(schema, Mapping) else ""
    if not reference.startswith("#/"):
        return schema
    target: Any = root
    for step in steps(reference[1:]):
        target = target.get(step, {}) if isinstance(target, Mapping) else {}
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _leaves(root: Mapping[str, Any], schema: Any, path: Steps, depth: int) -> Iterator[Field]:
    schema = resolved(root, schema)
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return
    inner = [(name, written) for name, written in (schema.get("properties") or {}).items()]
    inner += [(EACH, schema["items"])] if "items" in schema else []
    if path and not inner and "type" in schema:
        yield Field(path, schema)
    for name, written in inner:
        yield from _leaves(root, written, (*path, name), depth + 1)
    for key in ("allOf", "anyOf", "oneOf"):
        for alternative in schema.get(key) or ():
            yield from _leaves(root, alternative, path, depth + 1)


def _fields(root: Mapping[str, Any], schema: Any, path: Steps, depth: int) -> Iterator[CodeField]:
    schema = resolved(root, schema)
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return
    if isinstance(schema.get("x-list"), str):
        yield CodeField(path, schema["x-list"])
    for name, inner in (schema.get("properties") or {}).items():
        yield from _fields(root, inner, (*path, name), depth + 1)
    if "items" in schema:
        yield from _fields(root, schema["items"], (*path, EACH), depth + 1)
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(key) or ():
            yield from _fields(root, inner, path, depth + 1)
