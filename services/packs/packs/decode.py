"""Plain values of a pack file into the model, faults named with the line they stand on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from .errors import Finding, PackError
from .source import Place, Source

Read = TypeVar("Read")
_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_FIELD = re.compile(r"`([^`]+)`")


def decode(source: Source, value: Any, kind: type[Read], place: Place = ()) -> Read:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise PackError([_finding(source, place, str(error))]) from error


def decode_each(source: Source, values: Any, kind: type[Read], place: Place = ()) -> tuple[Read, ...]:
    """Every element on its own, so that one reading names every faulty element."""
    if not isinstance(values, list):
        raise PackError([source.finding(place, "a list is expected here")])
    read: list[Read] = []
    findings: list[Finding] = []
    for index, value in enumerate(values):
        try:
            read.append(decode(source, value, kind, (*place, index)))
        except PackError as error:
            findings.extend(error.findings)
    if findings:
        raise PackError(findings)
    return tuple(read)


def mapping(source: Source, place: Place = ()) -> dict[str, Any]:
    value = source.value
    for step in place:
        value = value[step]
    if not isinstance(value, dict):
        raise PackError([source.finding(place, "a mapping is expected here")])
    return value


def _finding(source: Source, place: Place, message: str) -> Finding:
    at = _AT.search(message)
    inner = tuple(_steps(at["path"])) if at else ()
    said = message[: at.start()] if at else message
    return source.finding(_deepest(source, (*place, *inner), said), said)


def _steps(path: str) -> Iterator[str | int]:
    for name, index, _ in _STEP.findall(path):
        if not name and not index:
            return
        yield name if name else int(index)


def _deepest(source: Source, place: Place, message: str) -> Place:
    """The field the message speaks of, when it stands below the place that was reported."""
    field = _FIELD.search(message)
    if field is None or "unknown field" not in message:
        return place
    found = [inner for inner in source.lines if inner[: len(place)] == place and inner[-1:] == (field[1],)]
    return min(found, key=len, default=place)
