"""One line of the access log: who did what to a document, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from kit import wire

from intake.domain.canonical import canonical

# RFC 9162, 2.1.1: a leaf is hashed after a zero byte, so that no inner node can pass for one.
LEAF = b"\x00"


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(LEAF + entry).digest()


@dataclass(frozen=True, slots=True)
class Access:
    """`action` is the name of the public call; `organisation_id` is empty where another service judged who it was."""

    id: str
    document_id: str
    actor: str
    organisation_id: str
    agency: str
    action: str
    at: datetime

    @property
    def entry(self) -> bytes:
        """As it is stored and shown, for ever the same bytes."""
        return canonical(
            {
                "id": self.id,
                "document_id": self.document_id,
                "actor": self.actor,
                "organisation_id": self.organisation_id or None,
                "agency": self.agency or None,
                "action": self.action,
                "at": wire.rfc3339(self.at),
            }
        )
