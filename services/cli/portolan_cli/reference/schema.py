"""The few words of JSON Schema that packs use, read naively: where a body does not fit, and by which word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portolan_cli.reference.book import Book

Fault = tuple[str, str]
CONTAINER = "iso6346"
KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def faults(schema: Mapping[str, Any], body: Any, book: Book) -> set[Fault]:
    """Lists are looked into only when the shape is right, as an operator is told first things first."""
    return set(_shape(schema, body, "/body")) or set(_codes(schema, body, "/body", book))


def _shape(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Fault]:
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield place, "TYPE"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield place, "ENUM"
    if isinstance(value, str):
        yield from _text(schema, value, place)
    elif isinstance(value, dict):
        yield from _object(schema, value, place)
    elif isinstance(value, list):
        yield from _array(schema, value, place)
    elif isinstance(value, int | float):
        yield from _number(schema, value, place)


def _text(schema: Mapping[str, Any], value: str, place: str) -> Iterator[Fault]:
    if len(value) < schema.get("minLength", 0):
        yield place, "MIN_LENGTH"
    if len(value) > schema.get("maxLength", len(value)):
        yield place, "MAX_LENGTH"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield place, "PATTERN"
    if schema.get("format") == CONTAINER and not _is_container(value):
        yield place, "FORMAT"


def _is_container(value: str) -> bool:
    """Letters count from ten, leaving out what eleven divides; each place weighs twice the one before."""
    if not re.fullmatch(r"[A-Z]{3}[UJZ][0-9]{7}", value):
        return False
    counted = [number for number in range(10, 39) if number % 11]
    worth: dict[str, int] = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [*range(10), *counted], strict=True))
    total: int = sum(worth[char] << place for place, char in enumerate(value[:10]))
    return bool(total % 11 % 10 == int(value[10]))


def _number(schema: Mapping[str, Any], value: float, place: str) -> Iterator[Fault]:
    if value < schema.get("minimum", value):
        yield place, "MINIMUM"
    if value > schema.get("maximum", value):
        yield place, "MAXIMUM"


def _object(schema: Mapping[str, Any], value: dict[str, Any], place: str) -> Iterator[Fault]:
    properties = schema.get("properties", {})
    yield from ((f"{place}/{name}", "REQUIRED") for name in schema.get("required", ()) if name not in value)
    for name, inner in value.items():
        if name in properties:
            yield from _shape(properties[name], inner, f"{place}/{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{place}/{name}", "ADDITIONAL_PROPERTIES"


def _array(schema: Mapping[str, Any], value: list[Any], place: str) -> Iterator[Fault]:
    if len(value) < schema.get("minItems", 0):
        yield place, "MIN_ITEMS"
    if len(value) > schema.get("maxItems", len(value)):
        yield place, "MAX_ITEMS"
    if schema.get("uniqueItems") and any(one in value[:at] for at, one in enumerate(value)):
        yield place, "UNIQUE_ITEMS"
    for number, inner in enumerate(value):
        yield from _shape(schema.get("items", {}), inner, f"{place}/{number}")


def _codes(schema: Mapping[str, Any], value: Any, place: str, book: Book) -> Iterator[Fault]:
    if isinstance(value, str) and "x-list" in schema and value not in book.codes.get(schema["x-list"], ()):
        yield place, "UNKNOWN_CODE"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _codes(schema.get("properties", {}).get(name, {}), inner, f"{place}/{name}", book)
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _codes(schema.get("items", {}), inner, f"{place}/{number}", book)
