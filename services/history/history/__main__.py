"""`python -m history`: fills the demonstration's databases with a past. Refused outside demo mode."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import packs
import uvloop
from kit import clock, ids, telemetry
from portolan_cli import generation
from portolan_cli.generation import Company, Generator, Mix
from portolan_cli.reference.book import Book

from history.digest import digest
from history.house import House, open_house
from history.live import History, Lived
from history.pace import Pace
from history.people import Registrar, agents
from history.settings import SERVICES, Settings
from history.time import Time

FIRST_NUMBER = 5_001


async def live(settings: Settings) -> dict[str, Any]:
    """Its figures. The demo has been seeded, nothing else runs on these databases."""
    folder = settings.pack_path or packs.default_pack_path()
    pack, mix = packs.read(folder), generation.load(folder)
    until = settings.history_until or datetime.now(UTC).replace(microsecond=0)
    pace = Pace(pack, mix, settings.history_seed)
    moment = Time(settings.history_seed, pace.first(settings.history_days, until))
    house = await open_house(settings, moment)
    try:
        with clock.told_by(moment.now), ids.made_by(moment.new_id):
            lived = await _lived(settings, house, (pack, mix, Book(folder), pace), until)
        return {**_figures(lived), "digest": await digest(house.databases)}
    finally:
        await house.close()


async def _lived(settings: Settings, house: House, told: tuple[packs.Pack, Mix, Book, Pace], until: datetime) -> Lived:
    pack, mix, book, pace = told
    of = mix.companies
    scale = settings.history_companies / (of.importers + of.exporters + of.brokers)
    companies = generation.companies(pack, mix, scale, FIRST_NUMBER)
    assert settings.home is not None  # noqa: S101 - refused before
    registrar = Registrar(house.databases["identity"], pack, Path(settings.home), settings.service_secret)
    people = await registrar.settle(companies)
    await house.drain(SERVICES)
    generator = Generator(pack, mix, companies, settings.history_seed, until.date(), _agents(companies))
    arrivals = pace.arrivals(settings.history_documents, settings.history_days, until)
    return await History(house, people, book, pace, settings.history_seed, until).live(generator, arrivals)


def _agents(companies: list[Company]) -> dict[str, list[Company]]:
    brokers = [company for company in companies if company.kind == "broker"]
    return {company.key: list(agents(company, place, brokers)) for place, company in enumerate(companies)}


def _figures(lived: Lived) -> dict[str, Any]:
    return {
        "documents": lived.documents,
        "refused": dict(lived.refused),
        "acts": dict(lived.acts),
        "left": lived.left,
        "overtaken": dict(lived.overtaken),
    }


def main() -> None:
    settings = Settings()
    if not settings.demo_mode or settings.home is None:
        sys.exit("a history is invented: it is lived in the demonstration (PORTOLAN_DEMO_MODE, PORTOLAN_HOME) only")
    telemetry.start("history", 0)
    began = time.monotonic()
    figures = uvloop.run(live(settings))
    print(json.dumps({**figures, "took_s": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
