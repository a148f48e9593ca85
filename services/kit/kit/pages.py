"""Lists by cursor: opaque to callers, bound to the filters they were made for."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from kit.errors import Malformed

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_CHARS_MAX = 1000
# As JSON writes it: no database text holds it, so no cursor of ours does.
NUL = b"\\u0000"


_Cursor = tuple[str, Any]


def limit(asked: int, default: int = LIMIT_DEFAULT, most: int = LIMIT_MAX) -> int:
    return min(asked, most) if asked > 0 else default


def encode(filters: Mapping[str, str], position: list[Any]) -> str:
    """`position` is the sort key of the last row given; JSON values only."""
    raw = msgspec.json.encode([_digest(filters), position])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, filters: Mapping[str, str], shape: Any = list[Any]) -> Any:
    """The position, or None for the first page. Raises Malformed for a cursor we did not make for these filters."""
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, raw_position = msgspec.json.decode(raw[:CURSOR_CHARS_MAX], type=_Cursor)
        position = msgspec.convert(raw_position, shape)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise Malformed("MALFORMED", "the cursor is not one of ours") from error
    if NUL in raw:
        raise Malformed("MALFORMED", "the cursor is not one of ours")
    if digest != _digest(filters):
        raise Malformed("MALFORMED", "the cursor belongs to another list")
    return position


def _digest(filters: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(filters.items()))).hexdigest()[:12]
