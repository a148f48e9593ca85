"""Formats of the trade that a schema may ask for, beside those of JSON Schema."""

from __future__ import annotations

from collections.abc import Callable

from stdnum import iso6346


def is_container_number(text: str) -> bool:
    """ISO 6346, written without spaces, with its check digit."""
    return text == iso6346.compact(text) and bool(iso6346.is_valid(text))


FORMATS: dict[str, Callable[[str], bool]] = {"iso6346": is_container_number}
