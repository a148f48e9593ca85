"""What a person reads when something is not as it should be."""

import io

import pytest
from portolan_cli import desk, show
from portolan_cli.client import Problem
from portolan_cli.embedded.ports import free
from rich.console import Console


def test_where_nobody_answers_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "GREETING_S", 0.2)
    with pytest.raises(desk.NotHere, match="make run"):
        desk.greet(f"http://127.0.0.1:{free()}")


def test_a_refusal_names_each_fault_and_keeps_its_brackets() -> None:
    fault = {"pointer": "/body/lines", "code": "REQUIRED", "message": "[lines] is needed"}
    problem = Problem(422, {"code": "INVALID_DOCUMENT", "title": "Invalid document", "errors": [fault]})
    said = io.StringIO()
    show.refusal(Console(file=said), problem)
    assert said.getvalue().splitlines() == [
        "error: 422 INVALID_DOCUMENT: Invalid document",
        "  /body/lines  REQUIRED  [lines] is needed",
    ]
