"""Words of a letter that nobody but its reader may see: kept sealed, opened as the letter leaves."""

from __future__ import annotations

import re
from dataclasses import replace

from kit.sealing import Sealer

from notifications.domain.deliveries import Delivery, Undeliverable

_MARK = re.compile("\u27e8([A-Za-z0-9_=-]{1,1000})\u27e9")


def mark(sealed: str) -> str:
    return f"\u27e8{sealed}\u27e9" if sealed else ""


def opened(letter: Delivery, sealer: Sealer) -> Delivery:
    """As its reader is to have it. Raises Undeliverable for what was sealed for another, or under another secret."""

    def plain(found: re.Match[str]) -> str:
        text = sealer.open(found[1], letter.recipient_id)
        if text is None:
            raise Undeliverable("what the letter is to say cannot be opened")
        return text

    return replace(letter, body=_MARK.sub(plain, letter.body)) if _MARK.search(letter.body) else letter
