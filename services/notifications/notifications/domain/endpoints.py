"""A client's address for webhooks: what it may be, what it hears, and when it is given up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from kit.errors import Invalid, Violation

from notifications.domain.addresses import is_allowed
from notifications.domain.publishing import unknown
from notifications.domain.signing import SealedKey, shown_public

ENABLED, DISABLED = "ENABLED", "DISABLED"
BY_OWNER, GONE, FAILING = "BY_OWNER", "GONE", "FAILING"

ENDPOINTS_MAX = 20
URL_CHARACTERS_MAX = 2_000
KEY_OVERLAP_H = 24
FAILING_DAYS_MAX = 5
# What happens while an endpoint is disabled is held for a replay, this long; later it is forgotten whole.
KEPT_DAYS = 90

_URL = re.compile(r"https?://[\x21-\x7e]+")


@dataclass(frozen=True)
class Endpoint:
    id: str
    organisation_id: str
    url: str
    description: str
    event_types: list[str]
    signature: str
    state: str
    disabled_reason: str
    disabled_at: datetime | None
    failing_since: datetime | None
    last_sequence: int
    created_at: datetime

    @property
    def is_enabled(self) -> bool:
        return self.state == ENABLED

    def is_as_asked(self, url: str, description: str, event_types: list[str], signature: str) -> bool:
        asked = (url, description, event_types, signature)
        return asked == (self.url, self.description, self.event_types, self.signature)


@dataclass(frozen=True)
class Shown:
    """An endpoint as its owner sees it; `secret` is there only in the answer that made it."""

    endpoint: Endpoint
    keys: list[SealedKey]
    secret: str = ""

    @property
    def public_keys(self) -> list[str]:
        return [shown_public(key.public) for key in self.keys if key.public]


def refuse_unusable(url: str, event_types: list[str], *, is_demo: bool) -> None:
    """Raises Invalid. Names are resolved and judged when something is sent, each time."""
    wrong = [Violation("/event_types", "UNKNOWN_EVENT_TYPE", name) for name in unknown(event_types)]
    fault = _fault(url, is_demo)
    if fault:
        wrong.append(Violation("/url", "WEBHOOK_URL_REFUSED", fault))
    if wrong:
        raise Invalid("INVALID_REQUEST", violations=wrong)


def _fault(url: str, is_demo: bool) -> str:
    if len(url) > URL_CHARACTERS_MAX or not _URL.fullmatch(url):
        return "an https address of at most 2000 ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "not an address"
    if parts.scheme != "https" and not is_demo:
        return "https only"
    if not host or port == 0 or parts.username is not None or parts.password is not None or "#" in url:
        return "a host, and neither a user nor a fragment"
    return "" if _may_be_public(host, is_demo) else "not a public address"


def _may_be_public(host: str, is_demo: bool) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return is_demo or host != "localhost"
    return is_allowed(host, loopback_allowed=is_demo)


def key_overlap_ends(now: datetime) -> datetime:
    return now + timedelta(hours=KEY_OVERLAP_H)


def is_given_up(failing_since: datetime, now: datetime) -> bool:
    return now - failing_since >= timedelta(days=FAILING_DAYS_MAX)
