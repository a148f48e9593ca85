"""A pack version as bytes, for a service's own database: the same pack gives the same bytes."""

from __future__ import annotations

import msgspec

from . import generated
from .model import CodeList, Pack


def dumps(pack: Pack) -> bytes:
    """Generated lists are written as their recipe: `loads` fills them again from the packaged source."""
    lists = {key: generated.emptied(codes, pack.languages) for key, codes in pack.lists.items()}
    return msgspec.json.encode(msgspec.structs.replace(pack, lists=lists), order="deterministic")


def loads(content: bytes | str) -> Pack:
    pack = msgspec.json.decode(content, type=Pack)
    return msgspec.structs.replace(pack, lists=_filled(pack.lists, pack.languages))


def _filled(lists: dict[str, CodeList], languages: tuple[str, ...]) -> dict[str, CodeList]:
    return {key: generated.filled(codes, languages) for key, codes in lists.items()}
