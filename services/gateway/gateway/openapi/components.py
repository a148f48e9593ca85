"""Everything the paths refer to: our shapes, the pack's schemas, headers, refusals, ways to prove who one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from gateway.operation import Operation
from gateway.problems import MEDIA_TYPE
from gateway.shapes.access import TokenRefusal
from gateway.shapes.common import Problem

REF = "#/components/schemas/{name}"
# Members of a schema that would change what its references mean.
IDENTITY = frozenset({"$schema", "$id", "$defs"})

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "client": {"type": "http", "scheme": "basic", "description": "client id and secret, for /oauth/token alone"},
}
PARAMETERS = {
    "Idempotency-Key": ("The same key is the same deed, whatever happens on the way.", "^[!-~]{1,200}$"),
    "If-Match": ("The ETag that the decision to change was made on.", r'^("[^"]*"|\*)$'),
    "If-None-Match": ("The ETag already known.", None),
    "Last-Event-ID": ("The id of the last event that was received.", "^[0-9]{1,9}$"),
}
HEADERS = {
    "Location": {"description": "Where it can be read.", "required": True, "schema": {"type": "string"}},
    "ETag": {"description": "For If-Match and If-None-Match.", "required": True, "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "The first answer, once more.", "schema": {"const": "true"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}},
}


def components(operations: Sequence[Operation], document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "schemas": {**_own_schemas(operations), **_passed_on(), **_pack_schemas(document_types)},
        "securitySchemes": SECURITY_SCHEMES,
        "headers": HEADERS,
        "responses": {"Problem": _problem()},
    }


def schema_of(shape: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=REF)
    return schema


def properties_of(shape: Any) -> dict[str, Any]:
    """Name → schema, for query parameters."""
    _, found = msgspec.json.schema_components([shape], ref_template=REF)
    properties: dict[str, Any] = next(iter(found.values()))["properties"]
    return properties


def submission_name(document_type: str) -> str:
    return f"Submission.{document_type}"


def _own_schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    shapes = [shape for one in operations for shape in (one.answer, one.body_shape) if shape is not None]
    _, found = msgspec.json.schema_components([*shapes, Problem, TokenRefusal], ref_template=REF)
    return found


@cache
def _passed_on() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(files("gateway").joinpath("schemas.yaml").read_text(encoding="utf-8"))
    return found


def _pack_schemas(document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The bodies as the pack has them, an envelope for each, and their choice as `Submission`."""
    schemas: dict[str, Any] = {}
    filed = [one["type"] for one in document_types if not one.get("declaration")]
    for one in document_types:
        schemas |= _hoisted(one["type"], one["schema"])
        if one["type"] not in filed:
            schemas["DeclarationEvent"] = _event(one["type"])
    for name in filed:
        schemas[submission_name(name)] = _envelope(name)
    if filed:
        schemas["Submission"] = _choice(filed)
    return schemas


def _event(document_type: str) -> dict[str, Any]:
    generic = _passed_on()["DeclarationEvent"]
    declaration = {"declaration": {"$ref": REF.format(name=document_type)}}
    return {**generic, "properties": {**generic["properties"], **declaration}}


def _envelope(document_type: str) -> dict[str, Any]:
    generic = _passed_on()["Submission"]
    properties = {
        **generic["properties"],
        "type": {"type": "string", "const": document_type},
        "body": {"$ref": REF.format(name=document_type)},
    }
    return {name: generic[name] for name in ("type", "additionalProperties", "required")} | {"properties": properties}


def _choice(types: Sequence[str]) -> dict[str, Any]:
    mapping = {one: REF.format(name=submission_name(one)) for one in types}
    return {
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _hoisted(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema and its `$defs` as components, references between them following."""
    definitions = schema.get("$defs", {})
    rest = {key: value for key, value in schema.items() if key not in IDENTITY}
    found = {name: _repointed(rest, name)}
    return found | {f"{name}.{key}": _repointed(value, name) for key, value in definitions.items()}


def _repointed(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_repointed(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _reference(item, name) if key == "$ref" else _repointed(item, name) for key, item in value.items()}


def _reference(target: Any, name: str) -> Any:
    if not isinstance(target, str) or not target.startswith("#"):
        return target
    inner = target.removeprefix("#/$defs/")
    return REF.format(name=name) + target[1:] if inner == target else REF.format(name=f"{name}.{inner}")


def _problem() -> dict[str, Any]:
    return {
        "description": "A refusal, as RFC 9457 has it",
        "headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}},
    }
