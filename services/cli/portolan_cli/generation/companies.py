"""The invented companies that file generated documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packs import Pack, company_numbers

from portolan_cli.generation.chance import Chance
from portolan_cli.generation.mix import Mix

CANDIDATES_MAX = 5_000
SUBSCRIBER, OCCASIONAL = "subscriber", "occasional"
AUTHORISED = "AEO"


@dataclass(frozen=True)
class Company:
    key: str
    name: str
    kind: str
    company_number: str
    language: str
    billing_mode: str
    attributes: tuple[str, ...]


def companies(pack: Pack, mix: Mix, scale: float = 1.0, first: int = 1) -> list[Company]:
    """`scale` times as many as the mix names, one of each kind at least; numbered from `first`, always the same."""
    chance = Chance("companies", first)
    wanted = {
        "importer": max(1, round(mix.companies.importers * scale)),
        "exporter": max(1, round(mix.companies.exporters * scale)),
        "broker": max(1, round(mix.companies.brokers * scale)),
    }
    numbers = _numbers(pack, first)
    return [
        _company(pack, mix, chance.of(kind, place), kind, place, next(numbers))
        for kind, count in wanted.items()
        for place in range(1, count + 1)
    ]


def _company(pack: Pack, mix: Mix, chance: Chance, kind: str, place: int, number: str) -> Company:
    of = mix.companies
    is_trader = kind != "broker"
    return Company(
        key=f"{kind}_{place:03}",
        name=f"{chance.among(of.names)} {chance.among(of.trades)} {place} {chance.among(of.forms)}",
        kind=kind,
        company_number=number,
        language=chance.among(pack.languages),
        billing_mode=OCCASIONAL if is_trader and chance.happens(of.occasional) else SUBSCRIBER,
        attributes=(AUTHORISED,) if is_trader and chance.happens(of.authorised) else (),
    )


def _numbers(pack: Pack, first: int) -> Iterator[str]:
    """Numbers that the country's own rules take for real, one after another."""
    width = _width(pack)
    tried = first
    while True:
        # Establishments are counted in the middle, check digits at the end.
        found = (f"{tried * 1_000_000 + 1000 + end:0{width}}" for end in range(CANDIDATES_MAX))
        number = next((one for one in found if company_numbers.fault(pack.company_number, one) is None), None)
        tried += 1
        if number is not None:
            yield number


def _width(pack: Pack) -> int:
    for width in range(4, 30):
        for end in range(CANDIDATES_MAX):
            if company_numbers.fault(pack.company_number, f"{end + 1_000_000:0{width}}") is None:
                return width
    return 0
