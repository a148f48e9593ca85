"""An amendment: a closed case is opened again, for what the changes call for and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from packs.amendments import AMEND_ACCEPT, AMEND_REJECT
from packs.model import Outcome

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Amendment:
    """`steps` are those of the type's amendment steps that the changes call for; `facts` as they would be."""

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


def verdict(outcome: Outcome, *, is_closed: bool) -> str:
    """The move of the document: only the end of an amendment moves it."""
    if not is_closed:
        return ""
    return AMEND_REJECT if outcome.then == "close" else AMEND_ACCEPT
