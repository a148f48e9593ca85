"""The quantity ledger of a title: what is authorised, reserved, consumed and given back, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from kit.errors import Refused, Violation
from packs.model import DocumentType
from packs.titles import share_for

from intake.domain.values import decimal_text, positive_decimal
from intake.domain.wording import violation

NOTHING = Decimal(0)


class EntryKind(StrEnum):
    AUTHORISED = "AUTHORISED"
    REDUCED = "REDUCED"
    INCREASED = "INCREASED"
    RESERVED = "RESERVED"
    RESERVATION_USED = "RESERVATION_USED"
    RESERVATION_RELEASED = "RESERVATION_RELEASED"
    CONSUMED = "CONSUMED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Entry:
    line: int
    kind: EntryKind
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class TitleLine:
    """`tolerance` is the share by which customs may go over what is authorised."""

    line: int
    hs_code: str
    unit: str
    authorised: Decimal
    tolerance: Decimal = NOTHING
    reserved: Decimal = NOTHING
    consumed: Decimal = NOTHING
    released: Decimal = NOTHING

    @property
    def remaining(self) -> Decimal:
        return max(NOTHING, self.authorised - self.consumed - self.reserved)

    @property
    def room(self) -> Decimal:
        """What may still be taken, tolerance included."""
        return self.authorised * (1 + self.tolerance) - self.consumed - self.reserved

    @property
    def is_full(self) -> bool:
        return self.consumed >= self.authorised

    def reserve(self, quantity: Decimal) -> tuple[TitleLine, list[Entry]]:
        self._refuse_over(quantity, self.room)
        return replace(self, reserved=self.reserved + quantity), [self._entry(EntryKind.RESERVED, quantity)]

    def consume(self, quantity: Decimal, held: Decimal = NOTHING) -> tuple[TitleLine, list[Entry]]:
        """`held` is what was reserved for this very declaration line: it is used up, whatever is consumed."""
        self._refuse_over(quantity, self.room + held)
        used = [self._entry(EntryKind.RESERVATION_USED, held)] if held else []
        line = replace(self, reserved=self.reserved - held, consumed=self.consumed + quantity)
        return line, [*used, self._entry(EntryKind.CONSUMED, quantity)]

    def release(self, quantity: Decimal) -> tuple[TitleLine, list[Entry]]:
        line = replace(self, consumed=self.consumed - quantity, released=self.released + quantity)
        return line, [self._entry(EntryKind.RELEASED, quantity)]

    def release_reservation(self, quantity: Decimal) -> tuple[TitleLine, list[Entry]]:
        line = replace(self, reserved=self.reserved - quantity, released=self.released + quantity)
        return line, [self._entry(EntryKind.RESERVATION_RELEASED, quantity)]

    def reduce(self, to: Decimal) -> tuple[TitleLine, list[Entry]]:
        """A decision authorises less than was asked. Raises Refused when it is not less, or already taken."""
        if not max(NOTHING, self.consumed + self.reserved) < to <= self.authorised:
            raise Refused("INVALID_TRANSITION", "an authorised quantity can only be reduced to what is not yet taken")
        if to == self.authorised:
            return self, []
        return replace(self, authorised=to), [self._entry(EntryKind.REDUCED, self.authorised - to)]

    def amend(self, to: Decimal) -> tuple[TitleLine, list[Entry]]:
        """An amendment authorises more, or less. Raises Refused below what customs holds."""
        if to < self.consumed + self.reserved:
            facts = {"held": decimal_text(self.consumed + self.reserved), "unit": self.unit, "line": str(self.line)}
            raise Refused("BELOW_IMPUTED", "a quantity cannot fall below what is imputed or reserved", facts=facts)
        if to == self.authorised:
            return self, []
        kind = EntryKind.INCREASED if to > self.authorised else EntryKind.REDUCED
        return replace(self, authorised=to), [self._entry(kind, abs(to - self.authorised))]

    def refuse_used_up(self) -> None:
        """Says what remains of a title whose quantity is gone, rather than that its state is past. Raises Refused."""
        if self.consumed >= self.authorised > NOTHING:
            self._refuse_over(self.authorised, NOTHING)

    def _refuse_over(self, quantity: Decimal, room: Decimal) -> None:
        if quantity > room:
            facts = {"remaining": decimal_text(max(NOTHING, room)), "unit": self.unit, "line": str(self.line)}
            raise Refused("QUANTITY_EXCEEDED", "more than what remains of the title", facts=facts)

    def _entry(self, kind: EntryKind, quantity: Decimal) -> Entry:
        return Entry(self.line, kind, quantity)


def title_lines(kind: DocumentType, body: Mapping[str, Any], language: str) -> tuple[list[TitleLine], list[Violation]]:
    """The ledger a body asks for; a body of the right shape may still ask for nothing of something."""
    lines: list[TitleLine] = []
    faults: list[Violation] = []
    for index, line in enumerate(body.get("lines") or () if kind.title else ()):
        asked = positive_decimal(line["quantity"]["value"])
        if asked is None:
            faults.append(violation(f"/body/lines/{index}/quantity/value", "NOT_POSITIVE", language))
            continue
        hs_code, unit = line["hs_code"], line["quantity"]["unit"]
        lines.append(TitleLine(index + 1, hs_code, unit, asked, tolerance_for(kind, hs_code)))
    return lines, faults


def tolerance_for(kind: DocumentType, hs_code: str) -> Decimal:
    return share_for(kind.imputation_tolerance, hs_code) or NOTHING


def is_full(lines: Sequence[TitleLine]) -> bool:
    return all(line.is_full for line in lines)


def consumed_nothing(lines: Sequence[TitleLine]) -> bool:
    return not any(line.consumed for line in lines)
