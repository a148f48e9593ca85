"""What a pack weighs a document's risk by: chapters, origins, its owner's past, what its goods used to cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from .value import Labels, Value


class Thresholds(Value, frozen=True, kw_only=True):
    orange: int
    red: int


class PastFindings(Value, frozen=True, kw_only=True):
    """Points for each outcome the steps call a non-conformity, of the owner's documents in the last months."""

    months: int
    points_each: int
    points_max: int


class Band(Value, frozen=True, kw_only=True):
    """From how many times the median, above or below it, how many points."""

    times: Decimal
    points: int


class UnitValues(Value, frozen=True, kw_only=True):
    """Value by weight, against the median of the same goods of the same origin in the last months."""

    months: int
    samples_min: int
    bands: tuple[Band, ...]


class Oddity(Value, frozen=True, kw_only=True):
    id: str
    labels: Labels
    when: str
    points: int


class Oddities(Value, frozen=True, kw_only=True):
    """What is odd about the document itself, together worth no more than `points_max`."""

    points_max: int
    list: tuple[Oddity, ...]


class Risk(Value, frozen=True, kw_only=True):
    thresholds: Thresholds = Thresholds(orange=30, red=60)
    chapter_weights: dict[str, int] = {}
    origin_weights: dict[str, int] = {}
    default_chapter_weight: int = 0
    default_origin_weight: int = 0
    past_findings: PastFindings | None = None
    unit_values: UnitValues | None = None
    oddities: Oddities | None = None
    labels: dict[str, Labels] = {}


class Alert(Value, frozen=True, kw_only=True):
    """Origins, goods or both that are watched from one day to another, both included."""

    id: str
    labels: Labels
    origins: tuple[str, ...] = ()
    hs: tuple[str, ...] | None = None
    from_: date = msgspec.field(name="from")
    to: date | None = None
