"""Who files a document and in how many goes, what shows that it is ready, and what it makes of whoever files it."""

from __future__ import annotations

import msgspec

from .value import Labels, Value


class Check(Value, frozen=True, kw_only=True):
    id: str
    expression: str
    pointer: str
    messages: Labels


class StageEvent(Value, frozen=True, kw_only=True):
    """The first whose `when` holds on the body is the move the stage makes."""

    event: str
    when: str | None = None


class Stage(Value, frozen=True, kw_only=True):
    """A part of the document that is filled in by itself: in one state, at these places, and then on to the next."""

    key: str
    labels: Labels
    in_: str = msgspec.field(name="in")
    fields: tuple[str, ...]
    events: tuple[StageEvent, ...]
    checks: tuple[Check, ...] = ()
    # Everything the readiness asks must be there.
    ready: bool = False
    # The document's case begins here, not when it is submitted.
    opens_case: bool = False


class Requirement(Value, frozen=True, kw_only=True):
    """One thing that speaks for a document being ready: an expression over the body, or a value nobody else has."""

    id: str
    weight: int
    pointer: str
    expression: str | None = None
    unique: bool = False
    labels: Labels
    missing: Labels


class Admission(Value, frozen=True, kw_only=True):
    """In these states the organisation that owns the document is admitted as the body says; pointers into it."""

    states: tuple[str, ...]
    name: str
    kind: str
    company_number: str
    billing_mode: str
