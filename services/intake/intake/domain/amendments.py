"""An amendment: a whole new body, what differs in it, whether that may change, and what it does to the title."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec
from kit import strict_json
from kit.errors import Invalid, Refused, Violation
from packs import amendments as rules
from packs import pointers
from packs.model import Amendment as Terms

from intake.domain.envelope import REQUEST_BYTES_MAX
from intake.domain.titles import Entry, TitleLine
from intake.domain.values import is_plain_text
from intake.domain.wording import violation

CHANGES_MAX = 200
CHANGES_BYTES_MAX = 64 * 1024
VIOLATIONS_MAX = 50
BODY = "/body"

Body = Mapping[str, Any]
Missing = None


class AmendmentState(StrEnum):
    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    DROPPED = "DROPPED"


class Change(msgspec.Struct, frozen=True):
    """`null` stands for nothing: a member that comes or goes."""

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Request:
    body: dict[str, Any]
    remarks: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """`changes` are those that are shown; `from_state` is where the document was, and comes back to."""

    document_id: str
    version: int
    state: AmendmentState
    from_state: str
    facts: Mapping[str, Any]
    changes: Sequence[Change]
    remarks: str
    proposed_by: str
    proposed_at: datetime


def read(raw: bytes, language: str) -> Request:
    """Raises TooLarge, Malformed, Invalid."""
    value = strict_json.bounded_object(raw, REQUEST_BYTES_MAX, "an amendment")
    faults = [*_unknown(value, language), *_misshapen(value, language)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    return Request(value["body"], value.get("remarks", ""))


def _unknown(value: dict[str, Any], language: str) -> list[Violation]:
    unknown = islice((name for name in value if name not in {"body", "remarks"}), VIOLATIONS_MAX)
    return [violation(pointers.pointer([name[:80]]), "ADDITIONAL_PROPERTIES", language) for name in unknown]


def _misshapen(value: dict[str, Any], language: str) -> Iterator[Violation]:
    if "body" not in value:
        yield violation("/body", "REQUIRED", language)
    elif not isinstance(value["body"], dict):
        yield violation("/body", "TYPE", language, types="object")
    remarks = value.get("remarks", "")
    if not isinstance(remarks, str):
        yield violation("/remarks", "TYPE", language, types="string")
    elif not is_plain_text(remarks):
        yield violation("/remarks", "OTHER", language)


def changes(before: Body, after: Body) -> list[Change]:
    """Leaf by leaf, in the order of the places; lists are compared place by place."""
    old, new = dict(_leaves(before, ())), dict(_leaves(after, ()))
    places = sorted(place for place in old.keys() | new.keys() if old.get(place, Missing) != new.get(place, Missing))
    return [Change(place, old.get(place, Missing), new.get(place, Missing)) for place in places]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(index)))
    else:
        yield pointers.pointer(path), value


def shown(found: Sequence[Change]) -> list[Change]:
    """The first of them, as many as an answer, an event and an officer's screen may hold."""
    kept, room = list[Change](), CHANGES_BYTES_MAX
    for change in found[:CHANGES_MAX]:
        room -= len(msgspec.json.encode(change))
        if room < 0:
            break
        kept.append(change)
    return kept


def refuse_forbidden(terms: Terms, found: Sequence[Change], language: str) -> None:
    """Raises Invalid when nothing changes, or something that may not."""
    if not found:
        raise Invalid("INVALID_DOCUMENT", violations=[violation(BODY, "NOTHING_CHANGED", language)])
    fixed = (change.pointer for change in found if not rules.may_change(terms, change.pointer))
    faults = [violation(BODY + place, "NOT_AMENDABLE", language) for place in islice(fixed, VIOLATIONS_MAX)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)


def amended_lines(
    lines: Sequence[TitleLine], before: Body, asked: Sequence[TitleLine], after: Body, language: str
) -> list[tuple[TitleLine, list[Entry]]]:
    """Lines that change. One whose quantity was not touched keeps what was authorised, be it less than was asked.

    Raises Invalid when goods or units change: the ledger counts on them; Refused below what customs holds.
    """
    if [(line.hs_code, line.unit) for line in lines] != [(line.hs_code, line.unit) for line in asked]:
        raise Invalid("INVALID_DOCUMENT", violations=[violation(f"{BODY}/lines", "NOT_AMENDABLE", language)])
    changed = []
    for place, (line, wanted) in enumerate(zip(lines, asked, strict=True)):
        if _asked(before, place) != _asked(after, place):
            changed.append(line.amend(wanted.authorised))
    return [(line, entries) for line, entries in changed if entries]


def _asked(body: Body, place: int) -> Decimal:
    return Decimal(body["lines"][place]["quantity"]["value"])


def refuse_below_imputed(facts: Mapping[str, Any], imputed: Mapping[str, int]) -> None:
    """`imputed`: minor units by currency. Raises Refused when the amended amount would not cover it."""
    amount, currency = facts.get("amount_minor"), facts.get("currency")
    if not isinstance(amount, int) or not isinstance(currency, str):
        return
    for of, taken in imputed.items():
        if of != currency or taken > amount:
            told = {"imputed_minor": str(taken), "currency": of}
            raise Refused("BELOW_IMPUTED", "the value cannot fall below what is imputed", facts=told)
