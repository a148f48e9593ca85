"""Identifiers: ours sort by the time they were made, and what callers send may be anything."""

import re

import uuid_utils

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,100}")


def new_id() -> str:
    """A UUIDv7 as text."""
    return str(uuid_utils.uuid7())


def is_identifier(text: str) -> bool:
    """Whether it could name anything at all; what cannot is simply not found."""
    return bool(IDENTIFIER.fullmatch(text))
