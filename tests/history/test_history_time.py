"""Time in a history: moments as told, identifiers that come out again and keep their order; when documents come."""

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import packs
from history.pace import Pace
from history.time import Time
from kit import clock, ids
from packs.reader import default_pack_path
from portolan_cli import generation
from portolan_cli.generation.chance import Chance

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


def pace(seed: int = 7) -> Pace:
    return Pace(packs.read(default_pack_path()), generation.load(default_pack_path()), seed)


def test_the_clock_and_the_identifiers_are_the_history_s_and_then_the_world_s_again() -> None:
    time = Time(7, START)
    with clock.told_by(time.now), ids.made_by(time.new_id):
        assert clock.now() == START
        time.later(timedelta(minutes=5))
        assert clock.now() == START + timedelta(minutes=5)
        made = ids.new_id()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert ids.new_id() > made


def test_identifiers_come_out_again_and_sort_by_time() -> None:
    def some(seed: int) -> list[str]:
        time, found = Time(seed, START), []
        for _ in range(500):
            found += [time.new_id(), time.new_id()]
            time.later(timedelta(seconds=1))
        return found

    made = some(7)
    assert made == some(7) == sorted(made)
    assert set(made).isdisjoint(some(8))
    assert {uuid.UUID(one).version for one in made} == {7}
    assert {uuid.UUID(one).variant for one in made} == {uuid.RFC_4122}
    milliseconds = uuid.UUID(made[0]).int >> 80
    assert milliseconds == int(START.timestamp() * 1000)


def test_documents_come_when_people_work() -> None:
    moments = pace().arrivals(2_000, 14, UNTIL)
    assert moments == pace().arrivals(2_000, 14, UNTIL)
    assert moments == sorted(moments)
    assert moments[-1] < UNTIL
    local = [moment.astimezone(moment.tzinfo) for moment in moments]
    by_hour = Counter(moment.hour for moment in local)
    assert by_hour[9] + by_hour[10] > 2 * (by_hour[12] + by_hour[13])
    by_day = Counter(moment.strftime("%a") for moment in local)
    assert by_day["Mon"] > by_day["Wed"] > by_day["Sun"]
    assert Counter(moment.date().isoformat() for moment in local)["2026-11-18"] < 60, "a holiday"


def test_people_take_working_time() -> None:
    friday_evening = datetime(2026, 11, 13, 20, 0, tzinfo=UTC)
    came = pace().takes("decide", friday_evening, Chance(1))
    assert came.strftime("%a") == "Mon"
