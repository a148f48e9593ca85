"""What the system says there is, after the run: one shape whether it was asked by HTTP or read in the databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

Line = tuple[Decimal, Decimal, Decimal]
"""Authorised, consumed, released."""


@dataclass
class Seen:
    """One document; None is what was not asked. `items` are the numbers of its timeline's items as they came."""

    state: str | None = None
    version: int | None = None
    body: str | None = None
    moves: tuple[tuple[str, str, str], ...] | None = None
    items: tuple[int, ...] | None = None
    tasks: Counter[tuple[str, str]] | None = None
    cases: int | None = None
    charged: Counter[tuple[str, int]] | None = None
    credited: Counter[tuple[str, str, int]] | None = None
    told: Counter[tuple[str, str]] | None = None
    ledger: Mapping[int, Line] | None = None
    settled: tuple[int, int] | None = None


@dataclass
class World:
    """`by_key`: which document a submission's key led to. `unbalanced`: currencies whose entries are not zero.

    Declarations are documents of their own: they are in `declared`, by their number.
    """

    documents: dict[str, Seen] = field(default_factory=dict)
    public: dict[str, Seen] = field(default_factory=dict)
    by_key: dict[tuple[str, str], str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    unbalanced: dict[str, int] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    letters_missing: list[str] = field(default_factory=list)
    letters_doubled: list[str] = field(default_factory=list)
    buried: list[str] = field(default_factory=list)
