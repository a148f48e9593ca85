"""Signing keys: published, then signing, then retired, so that no verifier ever meets a key it cannot find.

A new key is published at once and signs PUBLISH_LEAD_SECONDS later: by then every identity process has read it
(KEYRING_SECONDS), and no verifier can meet its id before it can find the key. The key before it stays
published until the last token it signed has expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TOKEN_SECONDS = 300
KEYRING_SECONDS = 2.0
PUBLISH_LEAD_SECONDS = 6
CLOCK_SKEW_SECONDS = 60
KEY_LIFETIME_DAYS = 30
# A rotation asked for again within this time is the same rotation.
ROTATION_PAUSE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`retires_at` is set when a successor is published; from then on nobody needs the key."""

    id: str
    public_jwk: str
    sealed_private: bytes
    created_at: datetime
    signs_from: datetime
    retires_at: datetime | None = None

    def is_published(self, at: datetime) -> bool:
        return self.retires_at is None or at < self.retires_at

    def signs(self, at: datetime) -> bool:
        return self.signs_from <= at and self.is_published(at)


def signer(keys: Sequence[SigningKey], at: datetime) -> SigningKey | None:
    """The newest key whose time to sign has come."""
    ready = [key for key in keys if key.signs(at)]
    return max(ready, key=lambda key: (key.signs_from, key.id), default=None)


def signs_from(keys: Sequence[SigningKey], at: datetime) -> datetime:
    """The first key of all signs at once: nobody waits for another."""
    return at + timedelta(seconds=PUBLISH_LEAD_SECONDS) if signer(keys, at) else at


def retirement(successor_signs_from: datetime) -> datetime:
    return successor_signs_from + timedelta(seconds=KEYRING_SECONDS + TOKEN_SECONDS + CLOCK_SKEW_SECONDS)


def just_made(keys: Sequence[SigningKey], at: datetime) -> SigningKey | None:
    newest = max(keys, key=lambda key: (key.created_at, key.id), default=None)
    is_fresh = newest is not None and at - newest.created_at < timedelta(seconds=ROTATION_PAUSE_SECONDS)
    return newest if is_fresh else None


def is_rotation_due(keys: Sequence[SigningKey], at: datetime) -> bool:
    newest = max((key.created_at for key in keys), default=None)
    return newest is None or at - newest > timedelta(days=KEY_LIFETIME_DAYS)
