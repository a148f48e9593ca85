"""Random selection that can be replayed: the draw is a hash of a seed, and the seed is kept with the decision."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec

_SCALE = 1 << 64


class Draw(msgspec.Struct, frozen=True):
    """A rule's draw for one document: selected when `value` is below the rule's share."""

    rule: str
    seed: str
    value: float
    share: str
    selected: bool


def drawn(table_version: str, rule: str, share: Decimal, document_id: str) -> Draw:
    seed = f"{table_version}/{rule}/{document_id}"
    ticket = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest())
    return Draw(rule, seed, ticket / _SCALE, str(share), ticket < share * _SCALE)
