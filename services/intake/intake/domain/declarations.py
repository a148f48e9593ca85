"""What the customs system says of a declaration: its events, its lines, and what they take from titles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from typing import Any

import msgspec
from kit import strict_json
from kit.errors import Invalid, Violation
from packs.model import DocumentType

from intake.domain.envelope import REQUEST_BYTES_MAX
from intake.domain.imputations import Imputation, ImputationState, Terms
from intake.domain.relations import name_of
from intake.domain.shape import Shape
from intake.domain.values import Money, Quantity, is_plain_text, positive_decimal
from intake.domain.wording import violation

BODY = "/declaration"
NUMBER_CHARS_MAX = 35
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)

SHAPE = Shape(
    msgspec.json.decode(resources.files("intake.domain").joinpath("declaration_event.schema.json").read_bytes())
)


class EventState(StrEnum):
    APPLIED = "APPLIED"
    HELD = "HELD"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Told:
    """One event, as customs told it. `declaration` comes with the event that registers."""

    number: str
    event_id: str
    event: str
    occurred_at: datetime
    declaration: Mapping[str, Any] | None
    remarks: str

    @property
    def fingerprint(self) -> bytes:
        """Of what is told, whatever number the telling has."""
        content = [self.number, self.event, self.occurred_at.isoformat(), self.declaration, self.remarks]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()

    @property
    def move(self) -> str:
        """The event of the pack's transitions."""
        return self.event.lower()


@dataclass(frozen=True, slots=True)
class Teller:
    """Who told it: a held event is applied in the name of who told it, not of who told what it waited for."""

    subject: str
    organisation_id: str
    agency: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands. `refusal` says why a held one could not be applied in its turn."""

    told: Told
    teller: Teller
    state: EventState
    received_at: datetime
    applied_at: datetime | None = None
    refusal: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line that takes from a title; `place` is where in the declaration it stands."""

    place: int
    title_document_id: str
    terms: Terms


def read(number: str, request: bytes, language: str, now: datetime) -> Told:
    """Raises TooLarge, Malformed, Invalid."""
    asked = strict_json.bounded_object(request, REQUEST_BYTES_MAX, "an event")
    faults = SHAPE.violations(asked, _no_codes, language) or list(_faults(number, asked, language, now))
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    occurred_at = _moment(asked["occurred_at"])
    told = (asked["event_id"], asked["event"], occurred_at, asked.get("declaration"), asked.get("remarks", ""))
    return Told(number, *told)


def _no_codes(_: str) -> frozenset[str]:
    return frozenset()


def _faults(number: str, asked: Mapping[str, Any], language: str, now: datetime) -> Iterator[Violation]:
    latest = now + CLOCK_SKEW
    if not EARLIEST <= _moment(asked["occurred_at"]) <= latest:
        bounds = {"earliest": EARLIEST.date().isoformat(), "latest": latest.date().isoformat()}
        yield violation("/occurred_at", "DATE_OUT_OF_RANGE", language, **bounds)
    if not is_plain_text(asked.get("remarks", "")):
        yield violation("/remarks", "OTHER", language)
    declared = asked.get("declaration")
    if declared is not None and declared.get("number") != number:
        yield violation(f"{BODY}/number", "NOT_THIS_DECLARATION", language)


def _moment(text: str) -> datetime:
    """Cut to microseconds, in UTC. A leap second is the second before."""
    head, point, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    text = f"{head}{point}{digits[:6]}{tail[len(digits) :]}".replace(":60", ":59")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def require_known(kind: DocumentType, told: Told, language: str) -> None:
    """Raises Invalid for an event that the pack's declaration does not have, or that lacks what it must bring."""
    registers = told.event == kind.initial_state
    if not registers and told.move not in {move.event for move in kind.transitions}:
        events = [kind.initial_state, *sorted({move.event.upper() for move in kind.transitions})]
        fault = violation("/event", "ENUM", language, options=", ".join(events))
        raise Invalid("INVALID_DOCUMENT", violations=[fault])
    if registers and told.declaration is None:
        raise Invalid("INVALID_DOCUMENT", violations=[violation(BODY, "REQUIRED", language)])
    if not registers and told.declaration is not None:
        raise Invalid("INVALID_DOCUMENT", violations=[violation(BODY, "ADDITIONAL_PROPERTIES", language)])


def meaning_faults(body: Mapping[str, Any], language: str) -> list[Violation]:
    """What the schema cannot say: every line once, of something, of a day that there is."""
    faults = []
    seen = set[str]()
    for place, line in enumerate(body["lines"]):
        number = line_number(line)
        if number in seen:
            faults.append(violation(f"{BODY}/lines/{place}/line", "UNIQUE_ITEMS", language))
        seen.add(number)
        if positive_decimal(line["quantity"]["value"]) is None:
            faults.append(violation(f"{BODY}/lines/{place}/quantity/value", "NOT_POSITIVE", language))
    try:
        date.fromisoformat(body["registered_on"])
    except ValueError:
        faults.append(violation(f"{BODY}/registered_on", "FORMAT", language, format="date"))
    return faults


def line_number(line: Mapping[str, Any]) -> str:
    return str(line["line"])


def lines(body: Mapping[str, Any], titles: Mapping[str, str], reserve: bool) -> list[Line]:
    """Of the lines that name a title, what they take. `titles`: ids by id and by reference."""
    return [
        Line(place, titles[name_of(line["title"])], _terms(body, line, reserve))
        for place, line in enumerate(body["lines"])
        if line.get("title") is not None
    ]


def _terms(body: Mapping[str, Any], line: Mapping[str, Any], reserve: bool) -> Terms:
    quantity, value = line["quantity"], line["value"]
    return Terms(
        declaration_number=body["number"],
        declaration_line=line_number(line),
        title_line=line.get("title_line"),
        office=body["office"],
        registered_on=date.fromisoformat(body["registered_on"]),
        quantity=Quantity(Decimal(quantity["value"]), quantity["unit"]),
        value=Money(int(value["amount_minor"]), value["currency"]),
        reserve=reserve,
    )


def stands(earlier: Imputation, terms: Terms) -> bool:
    """Whether a line was taken already, by hand or by an event before; one given back takes nothing any more."""
    if earlier.state is ImputationState.CANCELLED:
        return True
    if earlier.state is ImputationState.CONSUMED:
        return terms.reserve or _is_the_same(earlier, terms)
    return terms.reserve and _is_the_same(earlier, terms)


def _is_the_same(earlier: Imputation, terms: Terms) -> bool:
    same_goods = (earlier.quantity, earlier.unit) == (terms.quantity.value, terms.quantity.unit)
    return same_goods and terms.title_line in (None, earlier.line)


def next_held(kind: DocumentType, state: str, held: Sequence[Recorded]) -> Recorded | None:
    """Of the events that wait, the earliest that is possible now."""
    possible = [one for one in held if kind.transition(state, one.told.move) is not None]
    return min(possible, key=lambda one: (one.told.occurred_at, one.told.event_id), default=None)
