"""Documents' schemas: valid, closed, bounded, labelled, with examples that pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from ..errors import Finding
from ..formats import FORMATS
from ..schemas import code_fields, unknown_codes
from ..source import Place
from .subject import Subject

BOUNDS = {
    "string": ("maxLength",),
    "array": ("maxItems",),
    "integer": ("maximum", "exclusiveMaximum"),
    "number": ("maximum", "exclusiveMaximum"),
}
_CLOSED_SETS = ("enum", "const")
_REFINEMENTS = ("if", "then", "else", "not")
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_SAYS_WHAT = ("type", "$ref", *_CLOSED_SETS, *_ALTERNATIVES)


class Written(NamedTuple):
    """A schema and where it is written: a document's own file, or the form of a step."""

    file: str
    place: Place
    schema: dict[str, Any]


class Node(NamedTuple):
    """One subschema; `labelled` when people fill it in, `refining` when it only narrows another."""

    place: Place
    schema: Any
    labelled: bool
    refining: bool


def schemas_are_schemas(subject: Subject) -> Iterator[Finding]:
    for written in _written(subject):
        fault = _metaschema_fault(written.schema)
        if fault:
            yield subject.at(written.file, (*written.place, *fault[0]), f"not a JSON Schema: {fault[1]}")


def objects_are_closed(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        if not node.refining and _is(node, "object") and node.schema.get("additionalProperties") is not False:
            yield subject.at(written.file, node.place, "additionalProperties must be false")


def everything_is_bounded(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        for kind, bounds in BOUNDS.items():
            if (
                _is(node, kind)
                and not node.refining
                and not any(key in node.schema for key in (*bounds, *_CLOSED_SETS))
            ):
                yield subject.at(written.file, node.place, f"{kind} without {bounds[0]}")


def properties_say_what_they_are(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        if node.labelled and not any(key in node.schema for key in _SAYS_WHAT):
            yield subject.at(written.file, node.place, "a property without a type")


def properties_have_labels(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        if node.labelled and "x-labels" not in node.schema:
            yield subject.at(written.file, node.place, f"property {node.place[-1]} without x-labels")


def lists_exist(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        name = node.schema.get("x-list")
        if name is not None and name not in subject.pack.lists:
            yield subject.at(written.file, (*node.place, "x-list"), f"unknown list {name}")


def copies_are_marked(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        if "x-copy" in node.schema and (node.schema["x-copy"] is not False or not node.labelled):
            yield subject.at(written.file, (*node.place, "x-copy"), "x-copy stands on a property, and is false")


def examples_are_given(subject: Subject) -> Iterator[Finding]:
    for key, kind in subject.pack.document_types.items():
        if not subject.examples[key]:
            yield subject.at(subject.schema_file(kind), ("examples",), "at least one complete example is needed")


def examples_are_valid(subject: Subject) -> Iterator[Finding]:
    for key, kind in subject.pack.document_types.items():
        if _metaschema_fault(kind.schema):
            continue
        validator = jsonschema_rs.Draft202012Validator(kind.schema, validate_formats=True, formats=FORMATS)
        for index, body in enumerate(subject.examples[key]):
            for error in validator.iter_errors(body):
                place = ("examples", index, *error.instance_path)
                yield subject.at(subject.schema_file(kind), place, f"not a valid example: {error.message}")


def examples_use_known_codes(subject: Subject) -> Iterator[Finding]:
    lists = subject.pack.lists
    for key, kind in subject.pack.document_types.items():
        fields = tuple(field for field in code_fields(kind.schema) if field.list in lists)
        for index, body in enumerate(subject.examples[key]):
            for unknown in unknown_codes(fields, body, lists):
                steps = tuple(int(step) if step.isdigit() else step for step in unknown.pointer.split("/")[1:])
                message = f"{unknown.value} is not in the list {unknown.list}"
                yield subject.at(subject.schema_file(kind), ("examples", index, *steps), message)


def _written(subject: Subject) -> Iterator[Written]:
    for key, kind in subject.pack.document_types.items():
        yield Written(subject.schema_file(kind), (), kind.schema)
        for index, step in enumerate(kind.steps):
            if step.form is not None:
                yield Written(subject.type_files[key], ("steps", index, "form"), step.form)
        for index, condition in enumerate(kind.conditions or ()):
            if condition.parameters is not None:
                yield Written(subject.type_files[key], ("conditions", index, "parameters"), condition.parameters)


def written_nodes(subject: Subject) -> Iterator[tuple[Written, Node]]:
    for written in _written(subject):
        for node in _walk(Node(written.place, written.schema, False, False)):
            yield written, node


def _walk(node: Node) -> Iterator[Node]:
    if not isinstance(node.schema, dict):
        return
    yield node
    for inner in _inner(node):
        yield from _walk(inner)


def _inner(node: Node) -> Iterator[Node]:
    schema, place = node.schema, node.place
    for group in ("properties", "$defs", "dependentSchemas"):
        for name, inner in _members(schema.get(group)):
            labelled = group == "properties" and not node.refining
            yield Node((*place, group, name), inner, labelled, node.refining or group == "dependentSchemas")
    for key in ("items", "contains", "propertyNames", *_REFINEMENTS):
        if key in schema:
            yield Node((*place, key), schema[key], False, node.refining or key not in {"items"})
    for key in ("prefixItems", *_ALTERNATIVES):
        for index, inner in enumerate(schema.get(key) or ()):
            yield Node((*place, key, index), inner, False, node.refining or key == "allOf")


def _members(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _is(node: Node, kind: str) -> bool:
    declared = node.schema.get("type")
    return kind == declared or (isinstance(declared, list) and kind in declared)


def _metaschema_fault(schema: dict[str, Any]) -> tuple[Place, str] | None:
    try:
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        jsonschema_rs.Draft202012Validator(schema)
    except jsonschema_rs.ValidationError as error:
        return tuple(error.instance_path), error.message
    except ValueError as error:
        return (), str(error)
    return None


RULES = (
    schemas_are_schemas,
    objects_are_closed,
    everything_is_bounded,
    properties_say_what_they_are,
    properties_have_labels,
    lists_exist,
    copies_are_marked,
    examples_are_given,
    examples_are_valid,
    examples_use_known_codes,
)
