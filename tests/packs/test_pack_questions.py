"""A public question becomes the body of the document it is about: the example, with the answers in their places."""

import copy
from typing import Any

import pytest
from packs.lint import lint
from packs.model import DocumentType, Question
from packs.questions import filled, missing

from tests.packs.builders import PackFolder

EXAMPLE: dict[str, Any] = {
    "from": "FR",
    "lines": [{"code": "640399", "worth": {"amount_minor": 5}}, {"code": "640411"}],
}
KIND = DocumentType(
    key="paper",
    prefix="PA",
    direction="import",
    labels={},
    initial_state="A",
    states=(),
    question=Question(
        hs_code=("/lines/*/code",), country=("/from",), value=("/lines/0/worth",), characteristics=("/lines/*/traits",)
    ),
    schema={"examples": [EXAMPLE]},
)


def test_answers_are_put_in_their_places_and_the_rest_is_the_example_s() -> None:
    before = copy.deepcopy(EXAMPLE)
    body, written = filled(KIND, {"hs_code": "080510", "country": "CN", "characteristics": ["USED"]})
    assert body == {
        "from": "CN",
        "lines": [
            {"code": "080510", "worth": {"amount_minor": 5}, "traits": ["USED"]},
            {"code": "080510", "traits": ["USED"]},
        ],
    }
    assert written["/lines/1/code"] == "hs_code"
    assert written["/from"] == "country"
    assert before == EXAMPLE


def test_what_is_not_asked_stays() -> None:
    assert filled(KIND, {"value": None}) == (EXAMPLE, {})


@pytest.mark.parametrize("pointer", ["/nowhere/code", "/lines/9/code", "lines", "/lines/x/code"])
def test_a_pointer_that_leads_nowhere_is_missed(pointer: str) -> None:
    assert list(missing(Question(hs_code=(pointer,), country=("/from",)), EXAMPLE)) == [("hs_code", pointer)]


def test_the_linter_names_it(pack_folder: PackFolder) -> None:
    pack_folder.type["question"] = {"hs_code": ["/goods/first"], "country": ["/origin"]}
    found = [(finding.file, finding.message) for finding in lint(pack_folder.write())]
    assert found == [("document_types/permit/type.yaml", "the first example has no place /goods/first")]
