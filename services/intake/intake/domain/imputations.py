"""An imputation: customs takes a declared quantity off a title, once per declaration line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from typing import Any

import msgspec
from kit import strict_json
from kit.errors import Invalid, Violation

from intake.domain.canonical import canonical
from intake.domain.shape import Members, Shape
from intake.domain.titles import TitleLine
from intake.domain.values import Money, Quantity, decimal_text, positive_decimal
from intake.domain.wording import violation

REQUEST_BYTES_MAX = 16 * 1024
EARLIEST = date(2000, 1, 1)
CLOCK_SKEW = timedelta(days=1)

SHAPE = Shape(msgspec.json.decode(resources.files("intake.domain").joinpath("imputation.schema.json").read_bytes()))


class ImputationState(StrEnum):
    RESERVED = "RESERVED"
    CONSUMED = "CONSUMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Terms:
    """What customs asks for. `title_line` is None when the title has only one."""

    declaration_number: str
    declaration_line: str
    title_line: int | None
    office: str
    registered_on: date
    quantity: Quantity
    value: Money
    reserve: bool

    @property
    def fingerprint(self) -> bytes:
        """Of the meaning, not of the spelling: 10 and 10.0 are the same quantity."""
        content = [
            *(self.declaration_number, self.declaration_line, self.title_line, self.office),
            *(self.registered_on.isoformat(), decimal_text(self.quantity.value), self.quantity.unit),
            *(self.value.amount_minor, self.value.currency, self.reserve),
        ]
        return hashlib.sha256(canonical(content)).digest()


@dataclass(frozen=True, slots=True)
class Imputation:
    id: str
    document_id: str
    line: int
    state: ImputationState
    declaration_number: str
    declaration_line: str
    office: str
    registered_on: date
    quantity: Decimal
    unit: str
    value: Money
    imputed_at: datetime
    remaining: Decimal
    reserved_fingerprint: bytes | None = None
    reserved_answer: str | None = None
    consumed_fingerprint: bytes | None = None
    consumed_answer: str | None = None
    conditions_met: Sequence[str] = ()

    def earlier_answer(self, terms: Terms) -> tuple[bytes, str | None]:
        """Fingerprint and answer of the same question asked before; empty when it was not."""
        if terms.reserve:
            return self.reserved_fingerprint or b"", self.reserved_answer
        return self.consumed_fingerprint or b"", self.consumed_answer


def terms(request: bytes, members: Members, language: str, today: date) -> Terms:
    """Raises TooLarge, Malformed, Invalid."""
    asked = strict_json.bounded_object(request, REQUEST_BYTES_MAX, "an imputation")
    faults = SHAPE.violations(asked, members, language) or _meaning_faults(asked, language, today)
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    return _terms(asked)


def _meaning_faults(asked: dict[str, Any], language: str, today: date) -> list[Violation]:
    faults = []
    if positive_decimal(asked["quantity"]["value"]) is None:
        faults.append(violation("/quantity/value", "NOT_POSITIVE", language))
    latest = today + CLOCK_SKEW
    if not EARLIEST <= date.fromisoformat(asked["registered_on"]) <= latest:
        bounds = {"earliest": EARLIEST.isoformat(), "latest": latest.isoformat()}
        faults.append(violation("/registered_on", "DATE_OUT_OF_RANGE", language, **bounds))
    return faults


def _terms(asked: dict[str, Any]) -> Terms:
    quantity, value = asked["quantity"], asked["value"]
    return Terms(
        declaration_number=asked["declaration_number"],
        declaration_line=str(int(asked["declaration_line"])),
        title_line=int(asked["title_line"]) if "title_line" in asked else None,
        office=asked["office"],
        registered_on=date.fromisoformat(asked["registered_on"]),
        quantity=Quantity(Decimal(quantity["value"]), quantity["unit"]),
        value=Money(int(value["amount_minor"]), value["currency"]),
        reserve=asked.get("reserve", False),
    )


def line_for(asked: Terms, lines: Sequence[TitleLine], language: str) -> TitleLine:
    """Raises Invalid when the title has no such line, or counts it in another unit."""
    number = asked.title_line or (1 if len(lines) == 1 else 0)
    line = next((line for line in lines if line.line == number), None)
    if line is None:
        code = "REQUIRED" if asked.title_line is None else "UNKNOWN_LINE"
        raise Invalid("INVALID_DOCUMENT", violations=[violation("/title_line", code, language)])
    if line.unit != asked.quantity.unit:
        fault = violation("/quantity/unit", "WRONG_UNIT", language, unit=line.unit)
        raise Invalid("INVALID_DOCUMENT", violations=[fault], facts={"unit": line.unit})
    return line
