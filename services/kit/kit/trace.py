"""W3C trace context: one trace from the HTTP request to the last effect of its last event."""

import secrets
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("traceparent", default="")


def current() -> str:
    """The traceparent in force; a new trace when none is."""
    return _current.get() or begin()


def begin(traceparent: str = "") -> str:
    """Continues the given trace, or starts one when it is missing or malformed."""
    chosen = traceparent if is_valid(traceparent) else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    _current.set(chosen)
    return chosen


def trace_id(traceparent: str = "") -> str:
    return (traceparent or current())[3:35]


def is_valid(traceparent: str) -> bool:
    parts = traceparent.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or parts[0] == "ff":
        return False
    return (
        all(set(part) <= set("0123456789abcdef") for part in parts) and int(parts[1], 16) > 0 and int(parts[2], 16) > 0
    )
