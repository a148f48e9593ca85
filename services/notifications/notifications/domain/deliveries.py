"""One delivery for each event, rule, recipient and channel; how often a failing one is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

IN_APP = "in_app"
EMAIL = "email"
PENDING, SENT, FAILED, GATHERED = "PENDING", "SENT", "FAILED", "GATHERED"
DIGEST = "DIGEST"
DIGEST_LETTERS_MAX = 100

RETRY_AFTER_S = (5, 60, 300, 1_800, 7_200, 36_000)
SEND_ATTEMPTS_MAX = len(RETRY_AFTER_S) + 1
LEASE_S = 120


@dataclass(frozen=True)
class Recipient:
    """A person with an address, or an organisation's shared feed, which has none.

    `is_alone`: addressed for the role held, where no shared feed hears it.
    """

    id: str
    organisation_id: str
    address: str
    language: str
    is_alone: bool = False

    def hears_by(self, channel: str) -> bool:
        return self.is_alone or bool(self.address) == (channel == EMAIL)


@dataclass(frozen=True)
class Delivery:
    id: str
    event_id: str
    rule: str
    recipient_id: str
    organisation_id: str
    channel: str
    language: str
    address: str
    title: str
    body: str
    document_id: str
    reference: str
    state: str
    attempts: int
    created_at: datetime
    read_at: datetime | None = None
    # When it may go; at once when unset.
    due_at: datetime | None = None
    # Not sent by itself, but inside a digest.
    gathered: bool = False
    traceparent: str = ""


class MailTrouble(Exception):
    """The letter did not go now; later it may."""


class Undeliverable(MailTrouble):
    """This letter will never go to this address."""


def is_last(attempts: int, trouble: MailTrouble) -> bool:
    return isinstance(trouble, Undeliverable) or attempts >= SEND_ATTEMPTS_MAX


def next_try(attempts: int, now: datetime) -> datetime:
    """With jitter, so that what failed together does not come back together."""
    wait_s = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S)) - 1]
    return now + timedelta(seconds=wait_s * random.uniform(0.5, 1.0))
