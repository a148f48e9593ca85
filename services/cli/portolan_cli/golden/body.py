"""The body of a submission: the document type's own example, changed where the case says so."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from portolan_cli.client import Portolan
from portolan_cli.golden.case import CaseError

REMOVED = None


def build(portolan: Portolan, arguments: Mapping[str, Any]) -> Any:
    if "body" in arguments:
        body = copy.deepcopy(arguments["body"])
    else:
        document_type = portolan.get(f"/v1/document-types/{arguments['type']}")
        body = copy.deepcopy(document_type["schema"]["examples"][example_number(arguments.get("example", True))])
    for pointer, value in (arguments.get("changes") or {}).items():
        change(body, pointer, value)
    return body


def example_number(chosen: Any) -> int:
    """`true` is the first; a number counts from 0."""
    return 0 if chosen is True else int(chosen)


def change(body: Any, pointer: str, value: Any) -> None:
    """Sets what an RFC 6901 pointer names; null removes it."""
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/")]
    place = body
    for part in path:
        place = place[_key(place, part)]
    key = _key(place, last)
    if isinstance(place, list) and key == len(place):
        place.append(value)
    elif value is REMOVED and isinstance(place, dict):
        place.pop(key, None)
    else:
        place[key] = value


def _key(place: Any, part: str) -> Any:
    if isinstance(place, dict):
        return part
    if isinstance(place, list):
        return len(place) if part == "-" else int(part)
    raise CaseError(f"nothing inside {place!r} is called {part!r}")
