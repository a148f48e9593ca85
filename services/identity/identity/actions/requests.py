"""A request id: the same one twice is the same deed, and another deed under it is refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.auth import Principal
from kit.database import Tx
from kit.errors import Invalid, Malformed

from identity.actions.vault import Vault
from identity.store import requests

REQUEST_ID_CHARS_MAX = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and under which request id."""

    by: Principal
    request_id: str


def request(vault: Vault, asked: Asked, action: str, content: Any) -> requests.Request:
    """Raises Malformed for a missing or unusable request id."""
    if not asked.request_id:
        raise Malformed("IDEMPOTENCY_KEY_MISSING", "a request id is needed")
    if len(asked.request_id) > REQUEST_ID_CHARS_MAX or not asked.request_id.isprintable():
        raise Malformed("MALFORMED", f"a request id has 1 to {REQUEST_ID_CHARS_MAX} printable characters")
    return requests.Request(asked.by.organisation_id, asked.request_id, action, vault.fingerprint(content))


async def answered(tx: Tx, asked: requests.Request, answer_id: str, at: datetime) -> str | None:
    """The id of what an earlier request made; None when this one is the first. Raises Invalid for another content."""
    earlier = await requests.claim(tx, asked, answer_id, at)
    if earlier is None:
        return None
    if (earlier.action, earlier.fingerprint) != (asked.action, asked.fingerprint):
        raise Invalid("IDEMPOTENCY_KEY_REUSED", "this request id was used for something else")
    return earlier.answer_id
