"""Everything a run needs before its clock starts: who takes part, what they will file, whose life is played.

DISTINCT_MAX documents are made beforehand; a longer run files them again, as documents of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from zoneinfo import ZoneInfo

import packs
from packs import Pack
from portolan_cli import generation
from portolan_cli.client import Credentials, Portolan
from portolan_cli.generation import Generated, Generator
from portolan_cli.reference.book import Book
from portolan_cli.reference.cast import Cast, gather

from tests.misfortunes.crowd import Arrival, arrival, is_acted
from tests.misfortunes.expectations import Cast as Ids

# Half the companies of the mix: a dozen importers, six exporters, two brokers, each with a client of its own.
COMPANIES_SCALE = 0.5
RUN_ID_BYTES = 4
DISTINCT_MAX = 12_000
ROUND = 10_000_000
"""Numbers of the next round are that much higher."""


@dataclass(frozen=True)
class Scene:
    """The same seed and day make the same documents."""

    pack: Pack
    folder: Path
    book: Book
    cast: Cast
    ids: Ids
    seed: int
    run: str
    day: str
    customs: str
    generator: Generator
    first_round: tuple[Arrival, ...]

    @property
    def owners(self) -> list[str]:
        return list(self.ids.companies.values())

    @cached_property
    def types(self) -> dict[int, str]:
        return {one.number: one.type for one in self.first_round}

    @cached_property
    def clients(self) -> dict[str, Credentials]:
        """By organisation."""
        return {actor.organisation_id: actor.credentials for actor in self.cast.traders.values()}

    def type_of(self, number: int) -> str:
        return self.types[number % ROUND]

    def arrival(self, place: int) -> Arrival:
        again, place = divmod(place, len(self.first_round))
        one = self.first_round[place]
        return replace(one, number=one.number + again * ROUND)

    def document(self, number: int) -> Generated:
        return replace(self.generator.document(number % ROUND), number=number)

    def life(self, number: int) -> Generated | None:
        """Of those whose whole life is played."""
        return self.document(number) if is_acted(self.seed, number) else None


def prepare(portolan: Portolan, home: Path, folder: Path, seed: int, distinct: int = DISTINCT_MAX) -> Scene:
    """Only documents without a fault: what is refused is the reference run's business."""
    pack, mix = packs.read(folder), generation.load(folder)
    companies = generation.companies(pack, mix, COMPANIES_SCALE)
    cast = gather(portolan, home, pack, companies, "misfortunes")
    today = datetime.now(ZoneInfo(pack.timezone)).date()
    generator = Generator(pack, mix, companies, seed, today)
    return Scene(
        pack=pack,
        folder=folder,
        book=Book(folder),
        cast=cast,
        ids=Ids({key: actor.organisation_id for key, actor in cast.traders.items()}, cast.organisations),
        seed=seed,
        run=secrets.token_hex(RUN_ID_BYTES),
        day=today.isoformat(),
        customs=next(agency.code for agency in pack.agencies.values() if agency.kind == "customs"),
        generator=generator,
        first_round=tuple(arrival(one, cast) for one in islice(_valid(generator), distinct)),
    )


def _valid(generator: Generator) -> Iterator[Generated]:
    documents = map(generator.document, count(1))
    return (document for document in documents if not document.fault)
