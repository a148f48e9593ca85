"""What a copy takes over: all but what its type marks `"x-copy": false`, such as numbers and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packs.pointers import EACH

from intake.domain.shape import marked

MARK = "x-copy"


def copied(schema: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    for path in marked(schema, MARK, False):
        body = _without(body, path)
    return body


def _without(value: Any, path: Sequence[str]) -> Any:
    step, *rest = path
    if step == EACH:
        return [_without(item, rest) for item in value] if isinstance(value, list) and rest else value
    if not isinstance(value, dict) or step not in value:
        return value
    if not rest:
        return {name: item for name, item in value.items() if name != step}
    return {**value, step: _without(value[step], rest)}
