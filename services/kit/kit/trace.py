"""W3C trace context: one trace from the HTTP request to the last effect of its last event.

The context always travels. Spans are recorded only where a recorder is installed (kit.spans) and the trace is sampled;
elsewhere `span` and `start` cost next to nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Literal, Protocol

Kind = Literal["internal", "server", "client", "producer", "consumer"]
SAMPLED = "01"

_current: ContextVar[str] = ContextVar("traceparent", default="")


class Span(Protocol):
    """`traceparent` names it to whom it calls."""

    traceparent: str

    def rename(self, name: str) -> None: ...
    def note(self, name: str, value: str | int) -> None: ...
    def end(self, failure: str = "") -> None: ...


class Recorder(Protocol):
    def start(self, name: str, kind: Kind, traceparent: str, began: datetime | None = None) -> Span: ...
    def start_root(self, name: str, trace_id: str) -> Span: ...
    def chooses(self, trace_id: str) -> bool: ...


_recorder: Recorder | None = None


def install(recorder: Recorder | None) -> None:
    """For the whole process, before it serves."""
    global _recorder
    _recorder = recorder


def current() -> str:
    """The traceparent in force; a new trace when none is."""
    return _current.get() or begin()


def begin(traceparent: str = "") -> str:
    """Continues the given trace, or starts one when it is missing or malformed."""
    chosen = traceparent if is_valid(traceparent) else _new()
    _current.set(chosen)
    return chosen


def _new() -> str:
    trace = secrets.token_hex(16)
    sampled = SAMPLED if _recorder is None or _recorder.chooses(trace) else "00"
    return f"00-{trace}-{secrets.token_hex(8)}-{sampled}"


def start(name: str, kind: Kind = "internal", traceparent: str = "", began: datetime | None = None) -> Span:
    """A span under the given trace, or the one in force, without entering it. Whoever starts it ends it."""
    parent = traceparent if is_valid(traceparent) else current()
    if _recorder is None or not parent.endswith(SAMPLED):
        return _Unrecorded(parent)
    return _recorder.start(name, kind, parent, began)


def serve(name: str, traceparent: str) -> Span:
    """The span of a request from outside, and the trace in force from here on: theirs, or one that begins here."""
    parent = begin(traceparent)
    opened: Span = _Unrecorded(parent)
    if _recorder is not None and parent.endswith(SAMPLED):
        is_theirs = parent == traceparent
        opened = _recorder.start(name, "server", parent) if is_theirs else _recorder.start_root(name, trace_id(parent))
    _current.set(opened.traceparent)
    return opened


@contextmanager
def span(name: str, kind: Kind = "internal", traceparent: str = "") -> Iterator[Span]:
    """A span that is the trace in force while it lasts; it fails with what leaves it."""
    opened = start(name, kind, traceparent)
    before = _current.get()
    _current.set(opened.traceparent)
    try:
        yield opened
    except BaseException as error:
        opened.end(type(error).__name__)
        raise
    else:
        opened.end()
    finally:
        _current.set(before)


class _Unrecorded:
    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def rename(self, name: str) -> None:
        pass

    def note(self, name: str, value: str | int) -> None:
        pass

    def end(self, failure: str = "") -> None:
        pass


def trace_id(traceparent: str = "") -> str:
    return (traceparent or current())[3:35]


def is_valid(traceparent: str) -> bool:
    parts = traceparent.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or parts[0] == "ff":
        return False
    return (
        all(set(part) <= set("0123456789abcdef") for part in parts) and int(parts[1], 16) > 0 and int(parts[2], 16) > 0
    )
