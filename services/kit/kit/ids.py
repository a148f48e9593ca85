"""Identifiers: ours sort by the time they were made, and what callers send may be anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uuid_utils

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,100}")

_made: Callable[[], str] | None = None


def new_id() -> str:
    """A UUIDv7 as text."""
    return str(uuid_utils.uuid7()) if _made is None else _made()


@contextmanager
def made_by(source: Callable[[], str]) -> Iterator[None]:
    """This process makes them otherwise: where the same history must come out again."""
    global _made
    before, _made = _made, source
    try:
        yield
    finally:
        _made = before


def is_identifier(text: str) -> bool:
    """Whether it could name anything at all; what cannot is simply not found."""
    return bool(IDENTIFIER.fullmatch(text))
