"""One value, one sequence of bytes (RFC 8785), so that a hash or a signature means something."""

from typing import Any

import msgspec
import rfc8785

SAFE_INTEGER = 2**53 - 1

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """RFC 8785. What holds no fraction is written by the fast encoder, whose answer is the same there."""
    return _encoder.encode(value) if _is_plain(value) else rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """No fractions, no unsafe integers, and names in which UTF-16 order is code point order."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-SAFE_INTEGER <= value <= SAFE_INTEGER)
    if kind is dict:
        return all(name.isascii() and _is_plain(item) for name, item in value.items())
    return kind is list and all(map(_is_plain, value))
