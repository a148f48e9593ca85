"""Looking into a code list: search and pages. Membership is `CodeList.members`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .folding import fold
from .model import Code, CodeList

PAGE_CODES_MAX = 200


class Page(msgspec.Struct, frozen=True):
    """`following` is the position of the next page, None after the last one."""

    codes: tuple[Code, ...]
    following: int | None


def page(codes: CodeList, query: str = "", start: int = 0, limit: int = 50) -> Page:
    """Codes that begin with the query, or whose label has it in any language; accents do not matter."""
    limit = max(1, min(limit, PAGE_CODES_MAX))
    found: list[Code] = []
    for position in _matches(codes, fold(query), max(0, start)):
        if len(found) == limit:
            return Page(tuple(found), position)
        found.append(codes.codes[position])
    return Page(tuple(found), None)


def _matches(codes: CodeList, query: str, start: int) -> Iterator[int]:
    for position in range(start, len(codes.codes)):
        code, labels = codes.searchable[position]
        if code.startswith(query) or query in labels:
            yield position
