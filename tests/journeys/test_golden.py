"""The pack's golden cases, each from submission to its end, over public HTTP."""

import pytest
from packs.reader import default_pack_path
from portolan_cli.demo_file import Demo
from portolan_cli.golden import Case, load_all, play

CASES = load_all(default_pack_path())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_ends_as_its_file_says(case: Case, demo: Demo) -> None:
    assert play(case, demo).differences == []
