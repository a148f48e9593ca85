"""One operation, as OpenAPI says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from gateway.authority import ANYONE, SIGNED_IN
from gateway.openapi.components import PARAMETERS, REF, properties_of, schema_of
from gateway.operation import BINARY, CSV, FORM, JSON, NDJSON, Operation
from gateway.problems import MEDIA_TYPE

KEY_SCHEMA = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$", "maxLength": 128}
TEXT = {"type": "string"}
BYTES = {"type": "string", "format": "binary"}
PROBLEM = {"$ref": "#/components/responses/Problem"}
TOKEN_REFUSALS = ("400", "401", "403", "413", "429", "503")


def path_item(operation: Operation, document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": _security(operation),
        "x-portolan-authority": _authority(operation),
        "x-portolan-visibility": operation.authority.visibility,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": _responses(operation),
    }
    body = _request_body(operation, document_types)
    return shown | {"requestBody": body} if body else shown


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.media_type == FORM:
        return [{"client": []}, {}]
    if operation.is_personal:
        return [{"bearer": []}, {}]
    return [] if operation.authority.is_open else [{"bearer": []}]


def _authority(operation: Operation) -> str | list[str]:
    roles = operation.authority.roles
    return next(iter(roles)) if roles in (ANYONE, SIGNED_IN) else sorted(roles)


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": KEY_SCHEMA} for name in operation.path_names]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query_shape is None:
        return []
    properties = properties_of(operation.query_shape)
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _header_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [_header_parameter(name.rstrip("?"), not name.endswith("?")) for name in operation.request_headers]


def _header_parameter(name: str, is_required: bool) -> dict[str, Any]:
    description, pattern = PARAMETERS[name]
    schema = {"type": "string", "pattern": pattern} if pattern else {"type": "string"}
    return {"name": name, "in": "header", "required": is_required, "description": description, "schema": schema}


def _request_body(operation: Operation, document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if operation.media_type == NDJSON:
        described = f"One `{operation.raw_schema}` a line."
        content: dict[str, Any] = {"schema": {"type": "string"}, "x-portolan-line": _ref(operation.raw_schema)}
        return {"required": True, "description": described, "content": {NDJSON: content}}
    if operation.media_type == BINARY:
        described = "Its content decides what it is: PDF, PNG, JPEG, XML, JSON and office files are taken."
        return {"required": True, "description": described, "content": {BINARY: {"schema": BYTES}}}
    if operation.media_type == CSV:
        described = "A header of field names and a row for each document; or in XML an element for each (docs/bulk.md)."
        named = (operation.media_type, *operation.also_media_types)
        return {"required": True, "description": described, "content": {name: {"schema": TEXT} for name in named}}
    if operation.raw_schema:
        content = {"schema": _ref(operation.raw_schema)}
        if operation.raw_schema == "Submission" and document_types:
            content["examples"] = _examples(document_types)
        named = (operation.media_type, *operation.also_media_types)
        return {"required": True, "content": dict.fromkeys(named, content)}
    if operation.body_shape is None:
        return None
    return {"required": not operation.body_is_optional, "content": {JSON: {"schema": schema_of(operation.body_shape)}}}


def _examples(document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The pack's own: at least one complete, valid body of each type."""
    return {
        f"{one['type']}.{number}": {"value": {"type": one["type"], "body": body}}
        for one in document_types
        for number, body in enumerate(one["schema"].get("examples", ()), 1)
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REF.format(name=name)}


def _responses(operation: Operation) -> dict[str, Any]:
    responses = {str(operation.status): _success(operation)}
    if operation.media_type == FORM:
        return responses | dict.fromkeys(TOKEN_REFUSALS, _token_refusal()) | {"default": PROBLEM}
    if "If-None-Match" in str(operation.request_headers):
        responses["304"] = {"description": "Not modified"}
    if operation.id == "get_readiness":
        responses["503"] = _success(operation)
    refusals = {status: PROBLEM for status in _refusals(operation) if status not in responses}
    return responses | refusals | {"default": PROBLEM}


def _refusals(operation: Operation) -> list[str]:
    possible = {
        "400": True,
        "401": not operation.authority.is_open,
        "403": operation.authority.roles not in (ANYONE, SIGNED_IN),
        "404": bool(operation.path_names),
        "409": operation.method != "GET" and not operation.authority.is_open,
        "412": "If-Match" in operation.request_headers,
        "413": operation.takes_body,
        "415": operation.takes_body,
        "422": operation.takes_body,
        "428": "If-Match" in operation.request_headers,
        "429": True,
        "503": True,
    }
    return [status for status, is_possible in possible.items() if is_possible]


def _success(operation: Operation) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer_headers:
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in operation.answer_headers}
    if operation.answer is not None:
        shown["content"] = {JSON: {"schema": schema_of(operation.answer)}}
    elif operation.answer_media_type == NDJSON:
        shown["content"] = {NDJSON: {"schema": {"type": "string"}, "x-portolan-line": _ref("BatchAnswer")}}
    elif operation.answer_media_type != JSON:
        shown["content"] = {operation.answer_media_type: {"schema": {"type": "string"}}}
    for name in operation.also_answer_media_types:
        shown["content"][name] = {"schema": {"type": "string"}}
    return shown


def _token_refusal() -> dict[str, Any]:
    content = {JSON: {"schema": _ref("TokenRefusal")}, MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {"description": "A refusal, as RFC 6749 has it", "content": content}
