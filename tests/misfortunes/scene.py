"""Everything a run needs before its clock starts: who takes part, what they will file, whose life is played."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import packs
from packs import Pack
from portolan_cli import generation
from portolan_cli.client import Portolan
from portolan_cli.generation import Generated, Generator
from portolan_cli.reference.book import Book
from portolan_cli.reference.cast import Cast, gather

from tests.misfortunes.crowd import Arrival, arrival, is_acted
from tests.misfortunes.expectations import Cast as Ids

# Half the companies of the mix: a dozen importers, six exporters, two brokers, each with a client of its own.
COMPANIES_SCALE = 0.5
RUN_ID_BYTES = 4


@dataclass(frozen=True)
class Scene:
    """`arrivals` in their order; the same seed and day make the same documents."""

    pack: Pack
    book: Book
    cast: Cast
    ids: Ids
    seed: int
    run: str
    day: str
    customs: str
    generator: Generator
    arrivals: tuple[Arrival, ...]
    lives: dict[int, Generated]

    @property
    def owners(self) -> list[str]:
        return list(self.ids.companies.values())


def prepare(portolan: Portolan, home: Path, folder: Path, seed: int, documents: int) -> Scene:
    """Only valid documents: what is refused is the reference run's business."""
    pack, mix = packs.read(folder), generation.load(folder)
    companies = generation.companies(pack, mix, COMPANIES_SCALE)
    cast = gather(portolan, home, pack, companies, "misfortunes")
    today = datetime.now(ZoneInfo(pack.timezone)).date()
    generator = Generator(pack, mix, companies, seed, today)
    chosen = list(islice(_valid(generator), documents))
    return Scene(
        pack=pack,
        book=Book(folder),
        cast=cast,
        ids=Ids({key: actor.organisation_id for key, actor in cast.traders.items()}, cast.organisations),
        seed=seed,
        run=secrets.token_hex(RUN_ID_BYTES),
        day=today.isoformat(),
        customs=next(agency.code for agency in pack.agencies.values() if agency.kind == "customs"),
        generator=generator,
        arrivals=tuple(arrival(one, cast) for one in chosen),
        lives={one.number: one for one in chosen if is_acted(seed, one.number)},
    )


def _valid(generator: Generator) -> Iterator[Generated]:
    number = 0
    while True:
        number += 1
        document = generator.document(number)
        if not document.fault:
            yield document
