"""Declarations of the customs system as they are followed here, described."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.shapes.common import Moment
from gateway.shapes.documents import Imputation


class Refusal(msgspec.Struct):
    """Why an event that waited could not follow in its turn. Told again, it is tried again."""

    code: str
    detail: str
    facts: dict[str, str]


class Event(msgspec.Struct, kw_only=True):
    """HELD: it waits for what comes before it."""

    event_id: str
    declaration_number: str
    event: str
    state: Literal["APPLIED", "HELD", "REFUSED"]
    occurred_at: Moment
    received_at: Moment
    applied_at: Moment | None
    refusal: Refusal | None


class ToldEvent(Event, kw_only=True):
    """With where it leaves its declaration, and which events may follow."""

    document_id: str | None
    reference: str | None
    document_state: str | None
    expected: list[str]


class Declaration(msgspec.Struct, kw_only=True):
    """`document_id` is null while events wait for the one that registers it."""

    number: str
    document_id: str | None
    reference: str | None
    document_state: str | None
    state_label: str | None
    owner_organisation_id: str | None
    expected: list[str]
    events: list[Event]
    imputations: list[Imputation]
