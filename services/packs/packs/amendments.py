"""Which places an amendment may change, and which of its steps that calls for."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Amendment

# The moves of every amendment: asked for, accepted, rejected. The last two lead back to the state that was left.
AMEND, AMEND_ACCEPT, AMEND_REJECT = "amend", "amend_accept", "amend_reject"
# A price is billed at this when an amendment takes effect, each version once.
AMENDED = "amended"
EACH = "*"


def covers(pattern: str, pointer: str) -> bool:
    """`/lines/*/value` covers the value of every line, and whatever stands below it."""
    wanted, given = pattern.split("/"), pointer.split("/")
    return len(wanted) <= len(given) and all(one in (EACH, other) for one, other in zip(wanted, given, strict=False))


def may_change(amendment: Amendment, pointer: str) -> bool:
    return any(covers(pattern, pointer) for pattern in amendment.fields)


def steps_called_for(amendment: Amendment, pointers: Iterable[str]) -> tuple[str, ...]:
    """In the pack's order; none when every approval survives."""
    changed = tuple(pointers)
    return tuple(step.key for step in amendment.steps if not step.fields or _touches(step.fields, changed))


def _touches(patterns: Iterable[str], pointers: Iterable[str]) -> bool:
    return any(covers(pattern, pointer) for pattern in patterns for pointer in pointers)
