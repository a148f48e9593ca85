"""Expressions answer, or say what is wrong with them; nothing of the engine leaks out."""

import pytest
from packs.errors import ExpressionError
from packs.expressions import compile, evaluate, names_used, validate

BODY = {
    "total": {"amount_minor": 9_007_199_254_740_993, "currency": "EUR"},
    "lines": [{"hs": "640399", "value": 3}, {"hs": "080510", "value": 4}],
}


def test_an_expression_is_compiled_once() -> None:
    assert compile("a + 1") is compile("a + 1")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("sum(map(body.lines, #.value))", 7),
        ("map(body.lines, #.hs)", ["640399", "080510"]),
        (
            "map(body.lines, {code: #.hs, half: #.value / 2})",
            [{"code": "640399", "half": 1.5}, {"code": "080510", "half": 2}],
        ),
        ("'BANK-' + body.total.currency", "BANK-EUR"),
        ("body.total.currency", "EUR"),
        ("body.nothing.at.all", None),
        ("missing", None),
        ("$root.body.total.currency", "EUR"),
        ("true", True),
        ("null", None),
    ],
)
def test_expressions_answer(text: str, answer: object) -> None:
    assert evaluate(text, {"body": BODY}) == answer


def test_whole_numbers_come_back_as_integers() -> None:
    assert isinstance(evaluate("1 + 1", {}), int)


def test_a_bare_path_keeps_large_amounts_exact() -> None:
    assert evaluate("body.total.amount_minor", {"body": BODY}) == 9_007_199_254_740_993


@pytest.mark.parametrize("text", ["a >", "", "map(body.lines,", "unknown_function(1)", "a b", "x" * 5000])
def test_what_is_no_expression_is_named(text: str) -> None:
    assert validate(text)
    with pytest.raises(ExpressionError):
        compile(text)


def test_an_evaluation_error_has_no_backtrace_in_it() -> None:
    with pytest.raises(ExpressionError) as failed:
        evaluate("a > 1", {})
    assert failed.value.reason == "Opcode Compare: Unsupported type"
    assert failed.value.text == "a > 1"


@pytest.mark.parametrize(("text", "holds"), [("a == 1", True), ("a == 2", False), ("missing", False), ("flag", True)])
def test_conditions_hold_or_do_not(text: str, holds: bool) -> None:
    assert compile(text).holds({"a": 1, "flag": True}) is holds


@pytest.mark.parametrize("text", ["a + 1", "a"])
def test_a_condition_that_is_no_claim_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="instead of true or false"):
        compile(text).holds({"a": 1})


def test_the_facts_an_expression_asks_for_are_known() -> None:
    text = "some(hs_codes, startsWith(#, 'aeo')) and owner.kind == \"x\" or map(lines, {unit: #.unit}) == null"
    assert names_used(text) == {"hs_codes", "owner", "lines"}
