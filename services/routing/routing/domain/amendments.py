"""An amendment: a closed case is opened again, for what the changes call for and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from packs.amendments import way_of_steps
from packs.model import DocumentType, Outcome

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Amendment:
    """`steps` are those of the type's amendment steps that the changes call for; `facts` as they would be.

    Without steps it is in effect, and the case has begun again with it.
    """

    version: int
    facts: Facts
    changes: tuple[dict[str, Any], ...]
    remarks: str
    steps: tuple[str, ...]
    rules: tuple[str, ...]
    channel: str
    opened_at: datetime
    explanation: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> Facts:
        """What an officer is shown: the facts to be, and how the body differs."""
        told = {"version": self.version, "changes": list(self.changes), "remarks": self.remarks}
        return {**self.facts, "amendment": told}


@dataclass(frozen=True)
class Proposal:
    """What intake says of a version that waits."""

    document_id: str
    version: int
    facts: Facts
    changes: tuple[dict[str, Any], ...]
    remarks: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Resumption:
    """A version in effect with which a closed case begins again at one of its own steps."""

    document_id: str
    version: int
    facts: Facts
    step: str


def verdict(kind: DocumentType, amendment: Amendment, outcome: Outcome, *, is_closed: bool) -> str:
    """The move of the document: only the end of an amendment moves it, and a resumed case moves it by its own steps."""
    if not amendment.steps:
        return outcome.event
    if not is_closed:
        return ""
    way = way_of_steps(kind, amendment.steps)
    return way.rejects if outcome.then == "close" else way.accepts
