"""Values that every representation is made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from kit import pages, wire
from kit.errors import Invalid, Violation
from portolan.type.v1 import type_pb2

YEAR_MIN, YEAR_MAX = 1970, 2200

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Key = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
LongText = Annotated[str, msgspec.Meta(max_length=4000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(max_length=80)]
# What a query may hold: codes as we write them; words without control characters; cursors as we made them.
Code = Annotated[str, msgspec.Meta(max_length=80, pattern="^[A-Za-z0-9_.:-]*$")]
Search = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Cursor = Annotated[str, msgspec.Meta(max_length=1000, pattern="^[A-Za-z0-9_=-]*$")]
MomentIn = Annotated[datetime, msgspec.Meta(tz=True)]

T = TypeVar("T")


class Money(msgspec.Struct, forbid_unknown_fields=True):
    amount_minor: int
    currency: str


class Quantity(msgspec.Struct, forbid_unknown_fields=True):
    """A decimal written as text, and its UN/ECE Rec 20 unit."""

    value: Annotated[str, msgspec.Meta(max_length=40)]
    unit: Annotated[str, msgspec.Meta(max_length=3)]


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    next_cursor: str | None


class ProblemViolation(msgspec.Struct):
    pointer: str
    code: str
    message: str


class Problem(msgspec.Struct, rename={"kind": "type"}):
    """RFC 9457. More members may state the facts of a refusal, such as `remaining`."""

    kind: str
    title: str
    status: int
    code: str
    trace_id: str
    detail: str | msgspec.UnsetType = msgspec.UNSET
    errors: list[ProblemViolation] | msgspec.UnsetType = msgspec.UNSET


class Paged(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`limit` is brought down to the most that is given at once."""

    cursor: Cursor = ""
    limit: Annotated[int, msgspec.Meta(ge=1)] = pages.LIMIT_DEFAULT

    @property
    def size(self) -> int:
        return pages.limit(self.limit)


def moment(stamp: Timestamp) -> str | None:
    return wire.rfc3339_or_none(wire.moment_or_none(stamp))


def certain_moment(stamp: Timestamp) -> str:
    return wire.rfc3339(wire.moment(stamp))


def timestamp(given: datetime | None, pointer: str) -> Timestamp | None:
    """Raises Invalid for a year that nothing here can mean."""
    if given is not None and not YEAR_MIN <= given.year <= YEAR_MAX:
        wrong = Violation(pointer, "OUT_OF_RANGE", f"a year from {YEAR_MIN} to {YEAR_MAX}")
        raise Invalid("INVALID_REQUEST", violations=[wrong])
    return wire.timestamp(given)


def money(given: type_pb2.Money) -> Money:
    return Money(given.amount_minor, given.currency)


def quantity(given: type_pb2.Quantity) -> Quantity:
    return Quantity(given.value, given.unit)


def label(labels: Mapping[str, str], language: str) -> str:
    """In the caller's language, else in English, else in whatever there is."""
    return labels.get(language) or labels.get("en") or next(iter(labels.values()), "")
