"""A step that may ask for information leads into waiting and out of it again."""

from typing import Any

import pytest
from packs.lint import lint

from tests.packs.builders import PackFolder, move, state


def asking(folder: PackFolder, **terms: Any) -> None:
    """The bank of the invented country may ask, and everything stands as it should."""
    folder.type["states"].append(state("ASKED"))
    folder.type["transitions"] += [
        move("WITH_BANK", "ask", "ASKED", "bank"),
        move("ASKED", "answered", "WITH_BANK", "declarant"),
        move("ASKED", "lapsed", "WITH_BANK"),
    ]
    information = {"asks": "ask", "answered": "answered", "lapses": "lapsed", **terms}
    folder.type["steps"][0]["information"] = information


def test_a_step_may_ask_for_information(pack_folder: PackFolder) -> None:
    asking(pack_folder)
    assert lint(pack_folder.write()) == []


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("ask", "no transition ask from WITH_BANK"),
        ("answered", "no transition answered from ASKED back to WITH_BANK"),
        ("lapsed", "no transition lapsed from ASKED back to WITH_BANK"),
    ],
)
def test_waiting_for_information_begins_and_ends(pack_folder: PackFolder, without: str, message: str) -> None:
    asking(pack_folder)
    moves = pack_folder.type["transitions"]
    pack_folder.type["transitions"] = [one for one in moves if one["event"] != without]
    assert message in [finding.message for finding in lint(pack_folder.write())]


def test_nobody_returns_to_where_nobody_asks(pack_folder: PackFolder) -> None:
    asking(pack_folder, answer_seconds=0)
    pack_folder.type["transitions"].append(move("ASKED", "answered", "FILED"))
    messages = [finding.message for finding in lint(pack_folder.write())]
    assert messages == ["answered leads to FILED, where nobody asks", "a term is a positive number of seconds"]


def test_beside_one_that_waits_another_may_end_the_step(pack_folder: PackFolder) -> None:
    asking(pack_folder)
    step = pack_folder.type["steps"][0]
    step |= {"agency": {"rules": "control"}, "role": "agency_officer"}
    messages = [finding.message for finding in lint(pack_folder.write())]
    wanted = "no transition bank_reject from ASKED: another agency may end the step while one waits"
    assert wanted in messages


def test_a_case_asks_where_the_pack_lets_it(pack_folder: PackFolder) -> None:
    asked = {"document": "permit", "step": "bank", "questions": ["Why?"], "reason": "so"}
    pack_folder["golden/permit.yaml"]["steps"].insert(1, {"as": "bank", "request_information": asked})
    messages = [finding.message for finding in lint(pack_folder.write())]
    assert messages == ["permit asks no information at bank"]
