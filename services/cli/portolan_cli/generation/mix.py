"""What a pack says of life at its window: shares of documents, of faults and of what people do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from packs import Pack

from portolan_cli.pack_file import read

Weights = Mapping[str, float]
Span = tuple[float, float]


class MixError(Exception):
    """mix.yaml does not hold together."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Documents(_Part, frozen=True):
    share: float
    types: dict[str, float]


class Faults(_Part, frozen=True):
    unknown_code: float
    check_digit: float
    wrong_total: float
    no_need: float


class Acts(_Part, frozen=True):
    duplicate: float
    information: float
    cancelled: float
    withdrawn: float
    amended: float
    # Of questions that agencies ask, of titles that are not used up, and of appointments that somebody proposes.
    lapsed: float = 0.0
    expired: float = 0.0
    visit_declined: float = 0.0


class Imputing(_Part, frozen=True):
    nothing: float
    parts: float
    incomplete: float
    too_much: float
    given_back: float
    declared: float


class Settling(_Part, frozen=True):
    """Of titles of which something is imputed."""

    paid: float
    in_full: float
    too_much: float


class Companies(_Part, frozen=True):
    importers: int
    exporters: int
    brokers: int
    occasional: float
    authorised: float
    names: tuple[str, ...]
    trades: tuple[str, ...]
    forms: tuple[str, ...]


class Arrivals(_Part, frozen=True):
    hours: dict[str, float]
    days: dict[str, float]
    rest_day: float


class Currency(_Part, frozen=True):
    code: str
    weight: float
    factor: float


class Goods(_Part, frozen=True):
    """`characteristics`: how often each is said of these goods."""

    types: tuple[str, ...]
    weight: float
    hs: tuple[str, ...]
    unit: str
    kg: Span
    price: tuple[int, int]
    characteristics: dict[str, float] = {}


class CheckDigit(_Part, frozen=True):
    pointer: str
    value: Any


class Mix(_Part, frozen=True):
    source: str
    documents: tuple[Documents, ...]
    faults: Faults
    acts: Acts
    imputing: Imputing
    settling: Settling
    disagreement: float
    reduced: float
    answers: dict[str, dict[str, float]]
    owners: dict[str, str]
    files_itself: float
    companies: Companies
    arrivals: Arrivals
    pace: dict[str, Span]
    currencies: tuple[Currency, ...]
    import_countries: dict[str, float]
    export_countries: dict[str, float]
    partners: tuple[str, ...]
    payments: dict[str, float]
    preferences: dict[str, float]
    natures: dict[str, float]
    regimes: dict[str, dict[str, float]]
    exempt_regimes: tuple[str, ...]
    goods: tuple[Goods, ...]
    check_digits: tuple[CheckDigit, ...]
    one_position: tuple[str, ...]
    places: tuple[str, ...]

    def shares(self, pack: Pack) -> dict[str, float]:
        """Of each type the pack has; together one. What falls to types it lacks is spread over the others."""
        found: dict[str, float] = {}
        for part in self.documents:
            known = {key: weight for key, weight in part.types.items() if key in pack.document_types}
            for key, weight in known.items():
                found[key] = found.get(key, 0) + part.share * weight / sum(known.values())
        if not found:
            raise MixError(f"the mix names no document type of the pack {pack.name}")
        return {key: share / sum(found.values()) for key, share in found.items()}


def load(folder: Path) -> Mix:
    """Raises MixError, PackError."""
    file = folder / "demo" / "mix.yaml"
    if not file.exists():
        raise MixError(f"{file} is missing: nothing says what life at this window looks like")
    try:
        return msgspec.convert(read(file), Mix, strict=False)
    except msgspec.ValidationError as error:
        raise MixError(f"{file}: {error}") from error
