"""The letters a person got, as a mail reader on this machine finds them."""

from __future__ import annotations

import email
import re
import time
from email.policy import default

from tests.journeys.conftest import System

LETTER_S_MAX = 20.0
TOKEN = re.compile(r"^[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$", re.MULTILINE)


def to(system: System, address: str) -> list[str]:
    found = []
    for file in sorted((system.home / "mail" / "new").iterdir()):
        message = email.message_from_bytes(file.read_bytes(), policy=default)
        if message["To"] == address:
            found.append("\n".join(str(message.get_content()).splitlines()))
    return found


def token_sent_to(system: System, address: str) -> str:
    """The last one, as soon as it is there."""
    until = time.monotonic() + LETTER_S_MAX
    while time.monotonic() < until:
        tokens = [found[0] for text in to(system, address) if (found := TOKEN.search(text))]
        if tokens:
            return tokens[-1]
        time.sleep(0.1)
    raise AssertionError(f"no token came to {address}")
