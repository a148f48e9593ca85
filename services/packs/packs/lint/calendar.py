"""The country's time: a zone that exists, hours that can be kept, a holiday source that is known."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from ..calendar import parse_hours
from ..errors import Finding
from ..source import Place
from .subject import Subject

FILE = "calendar.yaml"


def zones_exist(subject: Subject) -> Iterator[Finding]:
    pack = subject.pack
    named: list[tuple[str, Place, str | None]] = [
        (FILE, ("timezone",), pack.calendar.timezone),
        ("pack.yaml", ("timezone",), pack.timezone),
        ("pack.yaml", ("reference", "year_timezone"), pack.reference.year_timezone),
    ]
    for file, place, zone in named:
        if zone is not None and not _is_zone(zone):
            yield subject.at(file, place, f"no time zone {zone!r} is known")


def hours_can_be_kept(subject: Subject) -> Iterator[Finding]:
    calendar = subject.pack.calendar
    for week_name, week in (("working_week", calendar.working_week), ("ramadan", calendar.ramadan)):
        for day, openings in week.items():
            for index, opening in enumerate(openings):
                fault = _fault(opening)
                if fault:
                    yield subject.at(FILE, (week_name, day, index), fault)


def somebody_works(subject: Subject) -> Iterator[Finding]:
    if not any(subject.pack.calendar.working_week.values()):
        yield subject.at(FILE, ("working_week",), "no working hours at all")


def holiday_source_is_known(subject: Subject) -> Iterator[Finding]:
    library = subject.pack.calendar.holidays.library
    if library is not None and library not in holidays.list_supported_countries():
        yield subject.at(FILE, ("holidays", "library"), f"no holidays are known for {library!r}")


def periods_run_forward(subject: Subject) -> Iterator[Finding]:
    for index, period in enumerate(subject.pack.calendar.ramadan_dates):
        if period.to < period.from_:
            yield subject.at(FILE, ("ramadan_dates", index), "ends before it begins")


def _fault(opening: str) -> str | None:
    try:
        parse_hours(opening)
    except ValueError as error:
        return str(error)
    return None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


RULES = (zones_exist, hours_can_be_kept, somebody_works, holiday_source_is_known, periods_run_forward)
