"""The contract as OpenAPI 3.1, made from the table of operations, the authority table and the pack's own schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import problems
from gateway.openapi.components import components
from gateway.openapi.paths import path_item
from gateway.operation import Operation

INFO = {
    "title": "Portolan",
    "version": "1",
    "summary": "A national single window for foreign trade",
    "description": (
        "Errors are `application/problem+json`; clients switch on `code`, and `title` is in the caller's language "
        "(`Accept-Language`: fr, ar, en). Send `traceparent` to continue your trace: the answer carries it back. "
        "`X-Request-Timeout` (seconds) shortens the time a request is given. Lists go on with `next_cursor`. "
        "`x-portolan-authority` says who may call: roles (any of them), `signed_in` or `anyone`; "
        "`x-portolan-visibility` says what a permitted caller sees."
    ),
}


def build(operations: Sequence[Operation], document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = sorted({operation.tag for operation in operations})
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in shown],
        "paths": _paths(operations, document_types),
        "components": components(operations, document_types),
        "x-portolan-problems": problems.catalogue(),
    }


def _paths(operations: Sequence[Operation], document_types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = path_item(operation, document_types)
    return paths
