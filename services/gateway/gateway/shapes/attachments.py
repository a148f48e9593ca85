"""Files beside documents, described."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.shapes.common import Moment


class Attachment(msgspec.Struct, kw_only=True):
    """`media_type` as its content says. PENDING waits to be searched for viruses; CLEAN alone is handed out."""

    sha256: str
    media_type: str
    size_bytes: int
    state: Literal["PENDING", "CLEAN", "INFECTED"]
    stored_at: Moment
