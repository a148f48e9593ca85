"""The pack's golden cases, each from submission to its end, over public HTTP; together they make every move."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import packs
import pytest
from packs.reader import default_pack_path
from portolan_cli.demo_file import Demo
from portolan_cli.golden import Case, Play, coverage, load_all, load_moves, play

from tests.journeys.conftest import System, a_system

CASES = [*load_all(default_pack_path()), *load_moves(default_pack_path())]
HALF_A_YEAR = timedelta(days=180)


@pytest.fixture(scope="module")
def moved_on() -> Iterator[System]:
    """Of its own: nobody else wants to live half a year later."""
    with a_system() as running:
        yield running


class Theatre:
    """Each case is played once, whoever asks."""

    def __init__(self, today: Demo, moved_on: System) -> None:
        self._today = today
        self._moved_on = moved_on
        self._plays: dict[str, Play] = {}

    def play(self, case: Case) -> Play:
        if case.name not in self._plays:
            self._plays[case.name] = play(case, self._moved_on.demo if case.waits else self._today)
        return self._plays[case.name]


@pytest.fixture(scope="module")
def theatre(demo: Demo, moved_on: System) -> Theatre:
    return Theatre(demo, moved_on)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_ends_as_its_file_says(case: Case, theatre: Theatre) -> None:
    assert theatre.play(case).differences == []


def test_the_cases_make_every_move(theatre: Theatre) -> None:
    pack = packs.read(default_pack_path())
    found = coverage(pack, [theatre.play(case) for case in CASES])
    assert {one.document_type: list(map(str, one.missing)) for one in found} == {key: [] for key in pack.document_types}
    assert sum(len(one.made) for one in found) == sum(len(kind.transitions) for kind in pack.document_types.values())


def time_of(system: System) -> datetime:
    return datetime.fromisoformat(httpx.get(f"{system.base_url}/status").json()["at"])


def test_a_demo_that_was_moved_on_goes_on_from_there_whatever_is_killed(theatre: Theatre, moved_on: System) -> None:
    (waiting,) = [case for case in CASES if case.waits]
    assert theatre.play(waiting).is_golden
    moved_on.kill_everything()
    moved_on.start()
    assert time_of(moved_on) - datetime.now(UTC) > HALF_A_YEAR
    today = next(case for case in CASES if case.name == "ei_shoes")
    assert play(today, moved_on.demo).differences == []
