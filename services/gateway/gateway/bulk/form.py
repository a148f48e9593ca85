"""The fields of a document type by names such as `supplier.name` or `lines.0.hs_code`, and how each is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

INDEX_MAX = 999
DEPTH_MAX = 32
NAME_CHARS_MAX = 300
# Stands for the number that a row has within its document.
EACH = -1

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
BOOLEANS = {"true": True, "false": False}

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One field: where it stands in a body, and whether it is text, integer, number or boolean."""

    path: Path
    kind: str

    def value(self, text: str) -> Any:
        """What cannot be read as its kind stays text: the schema then says so, in its own words."""
        bare = text.strip()
        if self.kind == "integer" and INTEGER.fullmatch(bare):
            return int(bare)
        if self.kind == "number" and NUMBER.fullmatch(bare):
            return float(bare)
        return BOOLEANS.get(bare.lower(), text) if self.kind == "boolean" else text


class Form:
    """A document type's body, by the names of its fields."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema

    def column(self, name: str) -> Column | None:
        """None when the type has no such field. A list's item is named by its number, or left to the row."""
        if len(name) > NAME_CHARS_MAX:
            return None
        schema, path = self._root, list[str | int]()
        for step in name.split("."):
            if self.kind(schema) == "array" and not INDEX.fullmatch(step):
                schema, path = self.items(schema), [*path, _implied(path)]
            inner = self._inner(schema, step)
            if inner is None:
                return None
            schema = inner[1]
            path.append(inner[0])
        return self._leaf(schema, path)

    def _inner(self, schema: Schema, step: str) -> tuple[str | int, Schema] | None:
        if self.kind(schema) == "array":
            return (int(step), self.items(schema)) if int(step) <= INDEX_MAX else None
        found = self.member(schema, step)
        return None if found is None else (step, found)

    def _leaf(self, schema: Schema, path: list[str | int]) -> Column | None:
        if self.kind(schema) == "array":
            schema, path = self.items(schema), [*path, _implied(path)]
        kind = self.kind(schema)
        return None if kind in ("object", "array") else Column(tuple(path), kind)

    def columns(self, example: Any) -> Iterator[tuple[str, Any]]:
        """Every field of the form with its name and, where the example has one, its value."""
        yield from self._columns(self._root, example, "", 0)

    def _columns(self, schema: Schema, value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
        if depth > DEPTH_MAX:
            return
        kind, prefix = self.kind(schema), f"{name}." if name else ""
        if kind == "object":
            for member, inner in self._members(schema).items():
                given = value.get(member) if isinstance(value, dict) else None
                yield from self._columns(inner, given, prefix + member, depth + 1)
        elif kind == "array":
            items = value if isinstance(value, list) and value else [None]
            for number, item in enumerate(items):
                yield from self._columns(self.items(schema), item, f"{prefix}{number}", depth + 1)
        else:
            yield name, value

    @property
    def root(self) -> Schema:
        return self._root

    def member(self, schema: Schema, name: str) -> Schema | None:
        return self._members(schema).get(name)

    def items(self, schema: Schema) -> Schema:
        """Of a list."""
        items = self._resolved(schema).get("items")
        return items if isinstance(items, Mapping) else {}

    def kind(self, schema: Schema) -> str:
        schema = self._resolved(schema)
        declared = schema.get("type")
        if isinstance(declared, list):
            declared = next((one for one in declared if one != "null"), "string")
        if declared:
            return str(declared)
        return "object" if self._members(schema) else "string"

    def _members(self, schema: Schema) -> dict[str, Schema]:
        """Its own, and those of its alternatives."""
        schema = self._resolved(schema)
        found: dict[str, Schema] = dict(schema.get("properties") or {})
        for keyword in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(keyword) or ():
                found = {**self._members(one), **found}
        return found

    def _resolved(self, schema: Schema) -> Schema:
        reference = str(schema.get("$ref", ""))
        if not reference.startswith("#/$defs/"):
            return schema
        target = (self._root.get("$defs") or {}).get(reference.removeprefix("#/$defs/"))
        return target if isinstance(target, Mapping) else {}


def _implied(path: list[str | int]) -> int:
    """The outermost list grows by a row; a list within it has one item."""
    return 0 if any(isinstance(step, int) for step in path) else EACH
