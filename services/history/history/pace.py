"""When documents come, and how long people take: the mix's words, on the country's calendar."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from packs import Pack
from packs.calendar import WorkingCalendar
from portolan_cli.generation import Mix
from portolan_cli.generation.chance import Chance

HOUR_S = 3600
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Pace:
    def __init__(self, pack: Pack, mix: Mix, seed: int) -> None:
        self._mix, self._seed = mix, seed
        self._zone = ZoneInfo(pack.timezone)
        self._calendar = WorkingCalendar(pack.calendar)

    def arrivals(self, count: int, days: int, until: datetime) -> list[datetime]:
        """In order, all before `until`; the same moments for the same seed and end."""
        last = until.astimezone(self._zone).date()
        weights = {last - timedelta(days=back): self._weight(last - timedelta(days=back)) for back in range(days)}
        found: list[datetime] = []
        chance = Chance(self._seed, "arrivals")
        while len(found) < count:
            moment = self._moment(chance.weighed(weights), chance)
            if moment < until:
                found.append(moment)
        return sorted(found)

    def first(self, days: int, until: datetime) -> datetime:
        day = until.astimezone(self._zone).date() - timedelta(days=days)
        return datetime.combine(day, time(8), self._zone)

    def takes(self, kind: str, after: datetime, chance: Chance) -> datetime:
        """When somebody comes to it: working time, as the mix paces this kind of act."""
        least, most = self._mix.pace.get(kind, self._mix.pace["decide"])
        return self._calendar.add(after, chance.skewed(least, most) * HOUR_S)

    def _weight(self, day: date) -> float:
        noon = datetime.combine(day, time(12), self._zone)
        named = self._mix.arrivals.days.get(WEEKDAYS[day.weekday()])
        if named is None or self._calendar.holiday(noon.date()) is not None:
            return self._mix.arrivals.rest_day
        return named

    def _moment(self, day: date, chance: Chance) -> datetime:
        hour = int(chance.weighed(self._mix.arrivals.hours))
        within = timedelta(seconds=chance.whole(0, HOUR_S - 1))
        return datetime.combine(day, time(hour), self._zone) + within
