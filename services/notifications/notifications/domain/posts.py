"""One webhook on its way: how an answer is read, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

PENDING, HELD, DELIVERED, FAILED = "PENDING", "HELD", "DELIVERED", "FAILED"

RETRY_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
ATTEMPTS_MAX = len(RETRY_AFTER_S) + 1
JITTER_MAX = 0.2
ASKED_WAIT_S_MAX = 86_400
STATUS_GONE = 410
RESPONSE_BYTES_KEPT = 2_048
FAILURE_CHARACTERS_MAX = 500


@dataclass(frozen=True)
class Post:
    """A row of the delivery log; its id is the `webhook-id`, the same however often it is sent."""

    id: str
    endpoint_id: str
    event_id: str
    sequence: int
    type: str
    document_id: str
    body: str
    state: str
    attempts: int
    due_at: datetime
    created_at: datetime
    attempted_at: datetime | None = None
    delivered_at: datetime | None = None
    response_status: int | None = None
    response_body: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt. No `status`: nobody answered."""

    status: int | None = None
    body: str = ""
    retry_after: str = ""
    failure: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == STATUS_GONE

    @property
    def reason(self) -> str:
        text = self.failure or f"answered {self.status}"
        return text.replace("\x00", "")[:FAILURE_CHARACTERS_MAX]


def kept(raw: bytes) -> str:
    """As much of an answer as the log keeps; text columns hold no NUL."""
    return raw[:RESPONSE_BYTES_KEPT].decode("utf-8", "replace").replace("\x00", "")


def is_last(attempts: int) -> bool:
    return attempts >= ATTEMPTS_MAX


def next_try(attempts: int, retry_after: str, now: datetime) -> datetime:
    """The schedule with jitter, or later when the receiver asks for it, a day at most."""
    wait_s = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S)) - 1] * random.uniform(1.0, 1.0 + JITTER_MAX)
    return now + timedelta(seconds=max(wait_s, min(asked_wait_s(retry_after, now), ASKED_WAIT_S_MAX)))


def asked_wait_s(retry_after: str, now: datetime) -> float:
    """Seconds, or the date of RFC 9110; nothing understandable is nothing asked."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
