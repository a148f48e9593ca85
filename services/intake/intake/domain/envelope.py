"""What a submission is wrapped in: {"type", "on_behalf_of"?, "body"}, and the key that makes it happen once."""

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kit import strict_json
from kit.errors import Invalid, Malformed, Violation
from packs import pointers

from intake.domain.wording import violation

REQUEST_BYTES_MAX = 256 * 1024
IDEMPOTENCY_KEY_CHARS_MAX = 255
TYPE_CHARS_MAX = 80
ORGANISATION_ID_CHARS_MAX = 80
UNKNOWN_MAX = 50

_MEMBERS = frozenset({"type", "on_behalf_of", "body"})


@dataclass(frozen=True, slots=True)
class Envelope:
    type: str
    on_behalf_of: str
    body: dict[str, Any]


def idempotency_key(key: str) -> str:
    """Raises Malformed for a key that is missing, too long or not printable ASCII."""
    if not key:
        raise Malformed("IDEMPOTENCY_KEY_MISSING", "a submission needs an Idempotency-Key")
    if len(key) > IDEMPOTENCY_KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise Malformed("MALFORMED", f"an Idempotency-Key is 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters")
    return key


def fingerprint(request: bytes) -> bytes:
    """Of the bytes as they came: another spelling of the same JSON is another request."""
    return hashlib.sha256(request).digest()


def read(request: bytes, language: str) -> Envelope:
    """Raises TooLarge, Malformed, Invalid."""
    value = strict_json.bounded_object(request, REQUEST_BYTES_MAX, "a submission")
    faults = [*unknown_members(value, _MEMBERS, language), *_faults(value, language)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    return Envelope(value["type"], value.get("on_behalf_of") or "", value["body"])


def unknown_members(value: dict[str, Any], members: frozenset[str], language: str) -> list[Violation]:
    unknown = (name for name in value if name not in members)
    return [
        violation(pointers.pointer([name[:80]]), "ADDITIONAL_PROPERTIES", language)
        for name in islice(unknown, UNKNOWN_MAX)
    ]


def _faults(value: dict[str, Any], language: str) -> list[Violation]:
    wanted: list[tuple[str, type, int]] = [("type", str, TYPE_CHARS_MAX), ("body", dict, 0)]
    if value.get("on_behalf_of") is not None:
        wanted.append(("on_behalf_of", str, ORGANISATION_ID_CHARS_MAX))
    return [fault for name, kind, most in wanted for fault in _member(value, name, kind, most, language)]


def _member(value: dict[str, Any], name: str, kind: type, chars_max: int, language: str) -> list[Violation]:
    if name not in value:
        return [violation(f"/{name}", "REQUIRED", language)]
    item = value[name]
    if not isinstance(item, kind):
        types = "object" if kind is dict else "string"
        return [violation(f"/{name}", "TYPE", language, types=types)]
    if isinstance(item, str) and len(item) > chars_max:
        return [violation(f"/{name}", "MAX_LENGTH", language, limit=chars_max)]
    return []
