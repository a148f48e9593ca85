"""Which entries of a table concern a commodity code: prefixes and ranges such as `4012` or `61-64`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CODES_REMEMBERED_MAX = 20_000
RANGE_MAX = 1_000


class GoodsIndex:
    """Answers with a bit per entry, so that a match over many entries is a few integer operations."""

    def __init__(self, entries: Sequence[Sequence[str] | None]) -> None:
        self.indifferent = sum(1 << bit for bit, patterns in enumerate(entries) if patterns is None)
        self._prefixes: dict[str, int] = {}
        for bit, patterns in enumerate(entries):
            for prefix in (prefix for pattern in patterns or () for prefix in prefixes(pattern)):
                self._prefixes[prefix] = self._prefixes.get(prefix, 0) | 1 << bit
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        self._remembered: dict[str, int] = {}

    def entries(self, codes: Iterable[str]) -> int:
        bits = self.indifferent
        remembered = self._remembered
        for code in codes:
            known = remembered.get(code)
            bits |= self._looked_up(code) if known is None else known
        return bits

    def _looked_up(self, code: str) -> int:
        if len(self._remembered) >= CODES_REMEMBERED_MAX:
            self._remembered.clear()
        digits = code.replace(".", "")
        bits = 0
        for length in self._lengths:
            bits |= self._prefixes.get(digits[:length], 0) if length <= len(digits) else 0
        self._remembered[code] = bits
        return bits


def prefixes(pattern: str) -> list[str]:
    """`61-64` is 61, 62, 63, 64; `7208-7212` likewise; dots are for people. ValueError when it is neither."""
    first, dash, last = pattern.replace(".", "").replace(" ", "").partition("-")
    if not dash:
        last = first
    if not (first.isdigit() and last.isdigit() and len(first) == len(last) and first <= last):
        raise ValueError(f"{pattern!r} is neither a commodity prefix nor a range")
    if int(last) - int(first) >= RANGE_MAX:
        raise ValueError(f"{pattern!r} is neither a commodity prefix nor a range of fewer than {RANGE_MAX}")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def concerns(patterns: Iterable[str], code: str) -> bool:
    digits = code.replace(".", "")
    return any(digits.startswith(prefix) for pattern in patterns for prefix in prefixes(pattern))
