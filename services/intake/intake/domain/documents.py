"""A document, the moves its type allows, and the timeline they leave."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kit.errors import PreconditionFailed, PreconditionRequired, Refused
from packs.model import DocumentType, Transition
from packs.tables import parts

from intake.domain import titles
from intake.domain.titles import TitleLine

SYSTEM = "system"
SUBMIT = "submit"
WITHDRAW = "withdraw"
CANCEL = "cancel"
IMPUTE_PARTIALLY = "impute_partially"
IMPUTE_FULLY = "impute_fully"
RELEASE_IMPUTATION = "release_imputation"


@dataclass(frozen=True, slots=True)
class Document:
    """`born_under`: pack version and rule table, for ever.

    `revision` counts changes of state or content (the ETag); `version` counts bodies; `items` the timeline's.
    """

    id: str
    reference: str
    type: str
    born_under: str
    state: str
    revision: int
    version: int
    owner_organisation_id: str
    submitter_organisation_id: str
    mandate_id: str
    submitted_at: datetime
    updated_at: datetime
    valid_until: datetime | None = None
    items: int = 0

    @property
    def pack_version(self) -> str:
        return parts(self.born_under)[0]

    @property
    def rule_table(self) -> str:
        """The published table it was admitted by; empty for the pack's own."""
        return parts(self.born_under)[1]

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'

    def require_match(self, if_match: str) -> None:
        """Raises PreconditionRequired, PreconditionFailed."""
        require_match(self.etag, if_match)

    def refuse_ended(self, kind: DocumentType) -> None:
        """Raises Refused: nothing changes any more after a final state."""
        state = kind.state(self.state)
        if state is not None and state.kind == "final":
            raise Refused("INVALID_TRANSITION", "the document is at its end", facts={"state": self.state})

    def follow(self, kind: DocumentType, move: Transition, at: datetime) -> Document:
        return replace(
            self,
            state=move.to,
            revision=self.revision + 1,
            updated_at=at,
            valid_until=self.valid_until or _validity(kind, move.to, at),
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a timeline; the store numbers it under the document's lock."""

    kind: str
    at: datetime
    actor: str = SYSTEM
    event: str = ""
    from_state: str = ""
    to_state: str = ""
    agency: str = ""
    step: str = ""
    due_at: datetime | None = None
    reason_code: str = ""
    detail: Mapping[str, Any] | None = None

    def moving(self, move: Transition) -> Item:
        return replace(self, kind="state", event=move.event, from_state=move.from_, to_state=move.to, detail=None)


def require_match(etag: str, if_match: str) -> None:
    """Raises PreconditionRequired, PreconditionFailed."""
    if not if_match.strip():
        raise PreconditionRequired("PRECONDITION_REQUIRED", "say in If-Match which revision you have seen")
    seen = {tag.strip() for tag in if_match.split(",")}
    if seen.isdisjoint({"*", etag}):
        raise PreconditionFailed("PRECONDITION_FAILED", "it has changed meanwhile", facts={"etag": etag})


def transition(document: Document, kind: DocumentType, event: str) -> Transition:
    """Raises Refused when the document cannot do this now."""
    move = kind.transition(document.state, event)
    if move is None:
        facts = {"state": document.state, "event": event}
        raise Refused("INVALID_TRANSITION", "not possible in the state the document is in", facts=facts)
    return move


def imputation_moves(document: Document, kind: DocumentType, lines: Sequence[TitleLine]) -> list[Transition]:
    event = IMPUTE_FULLY if titles.is_full(lines) else IMPUTE_PARTIALLY
    move = kind.transition(document.state, event)
    return [move] if move is not None and move.to != document.state else []


def full_states(kind: DocumentType) -> frozenset[str]:
    """Where a title is when nothing remains."""
    return frozenset(move.to for move in kind.transitions if move.event == IMPUTE_FULLY)


def release_moves(document: Document, kind: DocumentType, lines: Sequence[TitleLine]) -> list[Transition]:
    """Back to partly imputed, or past it to where nothing was; the pack may write that as one move or as two."""
    if titles.is_full(lines):
        return []
    partial = {move.to for move in kind.transitions if move.event == IMPUTE_PARTIALLY}
    first = _release(kind, document.state, partial, wants_partial=not titles.consumed_nothing(lines))
    if first is None or not (titles.consumed_nothing(lines) and first.to in partial):
        return [first] if first else []
    second = _release(kind, first.to, partial, wants_partial=False)
    return [first, second] if second and second.to not in partial else [first]


def ledger_moves(document: Document, kind: DocumentType, lines: Sequence[TitleLine]) -> list[Transition]:
    """Where a title belongs by what its ledger holds, when that moved while the document stood elsewhere."""
    if not lines or titles.is_full(lines):
        return imputation_moves(document, kind, lines) if lines else []
    partial = {move.to for move in kind.transitions if move.event == IMPUTE_PARTIALLY}
    if document.state in partial and titles.consumed_nothing(lines):
        return release_moves(document, kind, lines)
    return []


def _release(kind: DocumentType, state: str, partial: set[str], *, wants_partial: bool) -> Transition | None:
    moves = [move for move in kind.transitions if move.from_ == state and move.event == RELEASE_IMPUTATION]
    fitting = [move for move in moves if (move.to in partial) is wants_partial and move.to != state]
    if fitting or wants_partial:
        return fitting[0] if fitting else None
    return next((move for move in moves if move.to != state), None)


def _validity(kind: DocumentType, state: str, at: datetime) -> datetime | None:
    if kind.validity is None or kind.validity.starts_at != state:
        return None
    return add_months(at, kind.validity.months)


def add_months(moment: datetime, months: int) -> datetime:
    """The same day of the month, or its last day when the month is shorter."""
    year, month0 = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month0 + 1)[1])
    return moment.replace(year=year, month=month0 + 1, day=day)
