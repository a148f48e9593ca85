"""A title's ledger on a piece of paper: what is authorised and taken, line by line, and where that puts the title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from portolan_cli.reference.book import Entry

FINENESS = Decimal("0.001")


@dataclass
class Line:
    number: int
    hs_code: str
    unit: str
    authorised: Decimal
    tolerance: Decimal
    consumed: Decimal = Decimal(0)
    released: Decimal = Decimal(0)

    @property
    def remaining(self) -> Decimal:
        return max(Decimal(0), self.authorised - self.consumed)

    @property
    def room(self) -> Decimal:
        return self.authorised * (1 + self.tolerance) - self.consumed

    def part(self, share: float) -> Decimal:
        return (self.authorised * Decimal(str(share))).quantize(FINENESS, ROUND_DOWN)

    def figures(self) -> dict[str, Decimal]:
        names = ("authorised", "consumed", "released", "remaining")
        return {name: getattr(self, name) for name in names}


@dataclass
class Taken:
    line: Line
    quantity: Decimal
    amount_minor: int
    part: int = 0


@dataclass
class Ledger:
    lines: list[Line] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    imputed_minor: int = 0
    paid_minor: int = 0

    @property
    def is_full(self) -> bool:
        return all(line.consumed >= line.authorised for line in self.lines)

    @property
    def is_untouched(self) -> bool:
        return not any(line.consumed for line in self.lines)

    def take(self, line: Line, quantity: Decimal, amount_minor: int) -> None:
        line.consumed += quantity
        self.taken.append(Taken(line, quantity, amount_minor))
        self.imputed_minor += amount_minor

    def give_back(self, number: int) -> None:
        taken = self.taken[number]
        taken.line.consumed -= taken.quantity
        taken.line.released += taken.quantity
        self.imputed_minor -= taken.amount_minor


def ledger(kind: Entry, body: Mapping[str, Any]) -> Ledger:
    if not kind.get("title"):
        return Ledger()
    lines = enumerate(body["lines"], 1)
    return Ledger(
        [
            Line(
                number,
                line["hs_code"],
                line["quantity"]["unit"],
                Decimal(line["quantity"]["value"]),
                _tolerance(kind, line["hs_code"]),
            )
            for number, line in lines
        ]
    )


def _tolerance(kind: Entry, hs_code: str) -> Decimal:
    shares = [
        Decimal(str(one["share"]))
        for one in kind.get("imputation_tolerance", ())
        if any(hs_code.startswith(str(start)) for start in one["hs"])
    ]
    return max(shares, default=Decimal(0))
