"""The pack's golden cases, each from submission to its end, over public HTTP; together they make every move."""

import packs
import pytest
from packs.reader import default_pack_path
from packs.titles import EXPIRE
from portolan_cli.demo_file import Demo
from portolan_cli.golden import Case, Coverage, Play, coverage, load_all, load_moves, play

CASES = [*load_all(default_pack_path()), *load_moves(default_pack_path())]


class Theatre:
    """Each case is played once, whoever asks."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._plays: dict[str, Play] = {}

    def play(self, case: Case) -> Play:
        if case.name not in self._plays:
            self._plays[case.name] = play(case, self._demo)
        return self._plays[case.name]


@pytest.fixture(scope="module")
def theatre(demo: Demo) -> Theatre:
    return Theatre(demo)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_ends_as_its_file_says(case: Case, theatre: Theatre) -> None:
    assert theatre.play(case).differences == []


def test_the_cases_make_every_move_that_a_caller_can_time(theatre: Theatre) -> None:
    pack = packs.read(default_pack_path())
    found = coverage(pack, [theatre.play(case) for case in CASES])
    missing = {
        str(move)
        for one in found
        for move in one.missing
        if move.origin not in {_left_at_once(pack, one), *_reached_by_the_clock(pack, one)}
        and move.event not in _made_by_the_clock(pack, one)
    }
    assert missing == set()
    assert all(one.made for one in found)


def _left_at_once(pack: packs.Pack, one: Coverage) -> str | None:
    """The state in which the first step finds a document: whoever acts there must be faster than the bus."""
    kind = pack.document_types[one.document_type]
    return kind.initial_state if kind.steps[0].enters else None


def _made_by_the_clock(pack: packs.Pack, one: Coverage) -> set[str]:
    """What happens when nobody answers, decides or comes for days; the services' own tests travel there."""
    events = {EXPIRE}
    for step in pack.document_types[one.document_type].steps:
        if step.information is not None:
            events.add(step.information.lapses)
        if step.tacit is not None and step.outcomes[step.tacit.outcome].by == "system":
            events.add(step.outcomes[step.tacit.outcome].event)
        if step.visit is not None:
            events |= {step.visit.missed_by_operator, step.visit.missed_by_agency, step.visit.abandoned}
    return events


def _reached_by_the_clock(pack: packs.Pack, one: Coverage) -> set[str]:
    """The states no other way leads to."""
    kind, late = pack.document_types[one.document_type], _made_by_the_clock(pack, one)
    reached = {kind.initial_state} | {move.to for move in kind.transitions if move.event not in late}
    return {state.key for state in kind.states} - reached
