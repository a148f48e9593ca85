"""What everything in a pack is made of."""

from __future__ import annotations

import msgspec

Labels = dict[str, str]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Base of everything in a pack; `dict=True` only serves what is derived once and kept."""
