"""The ways in which a new version may come: its moves, the places it may change, the steps that calls for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .model import Amendment, DocumentType
from .pointers import EACH


@dataclass(frozen=True)
class Way:
    """The moves of a new version: asked for, accepted, rejected. The last two lead back to the state that was left."""

    asks: str
    accepts: str
    rejects: str

    @property
    def verdicts(self) -> frozenset[str]:
        return frozenset({self.accepts, self.rejects})


AMENDING = Way("amend", "amend_accept", "amend_reject")
CHANGING_BANK = Way("change_bank", "change_bank_accept", "change_bank_reject")
WAYS = (AMENDING, CHANGING_BANK)
VERDICTS = frozenset().union(*(way.verdicts for way in WAYS))
# `before_<fact>` is that fact of the version in force: the agency a document is about to leave.
BEFORE = "before_"
# A price is billed at this when an amendment takes effect, each version once.
AMENDED = "amended"


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


def way_of(event: str) -> Way:
    """Raises StopIteration for an event that is no verdict."""
    return next(way for way in WAYS if event in way.verdicts)


def way_of_steps(kind: DocumentType, steps: Iterable[str]) -> Way:
    """The way whose steps these are."""
    own = {step.key for step in kind.bank_change.steps} if kind.bank_change else set()
    return CHANGING_BANK if own & set(steps) else AMENDING


def facts_before(amendment: Amendment) -> tuple[str, ...]:
    """The facts of the version in force that its steps ask for."""
    named = (step.agency.fact or "" for step in amendment.steps)
    return tuple(fact.removeprefix(BEFORE) for fact in named if fact.startswith(BEFORE))
