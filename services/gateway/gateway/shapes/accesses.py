"""The access log, described."""

from __future__ import annotations

import msgspec

from gateway.shapes.common import Moment


class Access(msgspec.Struct, kw_only=True):
    """`action` is an operation of this contract. Each entry is written once, in its RFC 8785 form."""

    id: str
    document_id: str
    actor: str
    organisation_id: str | None
    agency: str | None
    action: str
    at: Moment
