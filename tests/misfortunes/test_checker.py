"""A checker that cannot fail is worthless: worlds and histories are falsified here, and each lie must be found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.misfortunes.checker import DOUBLED, LOST, WRONG, Finding, check
from tests.misfortunes.expectations import Expected
from tests.misfortunes.history import FAILED, OK, UNKNOWN, Fault, History, Line, Operation, Played
from tests.misfortunes.world import Seen, World

OWNER, AGENCY = "org-1", "org-2"
MOVES = (("REGISTERED", "domicile", "PENDING"), ("PENDING", "accept", "ACCEPTED"))
FORETOLD = Expected(
    state="ACCEPTED",
    version=1,
    body="digest",
    moves=MOVES,
    tasks=Counter({("BANK", "domiciliation"): 1}),
    charged=Counter({("TI-EI", 3000): 1}),
    credited=Counter(),
    told=Counter({(OWNER, "submitted"): 1, (AGENCY, "task"): 1}),
    ledger={1: ("10", "0", "0")},
    settled=(700, 300),
)


def operation(number: int, name: str = "submit", **other: object) -> Operation:
    one = Operation(number, name, number, OWNER, "/v1/documents", f"run-{number}", "digest", 1.0 * number, 1.0 * number)
    one.outcome, one.status, one.answer = OK, 201, {"id": f"doc-{number}"}
    for member, value in other.items():
        setattr(one, member, value)
    return one


def seen() -> Seen:
    return Seen(
        state="ACCEPTED",
        version=1,
        body="digest",
        moves=MOVES,
        items=(1, 2, 3, 4),
        tasks=Counter({("BANK", "domiciliation"): 1}),
        cases=1,
        charged=Counter({("TI-EI", 3000): 1}),
        credited=Counter(),
        told=Counter({(OWNER, "submitted"): 1, (AGENCY, "task"): 1}),
        ledger={1: (Decimal("10.000000"), Decimal(0), Decimal(0))},
        settled=(700, 300),
    )


def truth() -> tuple[History, World]:
    """Two documents, of which one was refused."""
    refused = operation(2, outcome=FAILED, status=422, answer={"code": "INVALID"})
    history = History(Line("run", 0.0), [operation(1), refused], [Fault("calm", 0.0)])
    return history, World(documents={"doc-1": seen()}, by_key={(OWNER, "run-1"): "doc-1"})


def found(history: History, world: World) -> list[Finding]:
    return check(history, world, {1: FORETOLD})


def test_the_truth_has_no_findings() -> None:
    assert found(*truth()) == []


Lie = Callable[[History, World], object]


def _of_document(**members: object) -> Lie:
    def lie(_: History, world: World) -> None:
        for name, value in members.items():
            setattr(world.documents["doc-1"], name, value)

    return lie


LIES: dict[str, tuple[str, str, Lie]] = {
    "a lost document": (LOST, "is not there", lambda _, world: world.documents.clear()),
    "a lost key": (LOST, "leads to None", lambda _, world: world.by_key.clear()),
    "a key of two documents": (DOUBLED, "leads to doc-9", lambda _, w: w.by_key.update({(OWNER, "run-1"): "doc-9"})),
    "a second document nobody was told of": (
        DOUBLED,
        "nobody was told",
        lambda _, world: world.documents.update({"doc-9": seen()}),
    ),
    "another body": (WRONG, "body", _of_document(body="another")),
    "a decision undone": (WRONG, "state", _of_document(state="PENDING")),
    "another version": (WRONG, "version", _of_document(version=2)),
    "a second case": (DOUBLED, "case opened: 2 instead of 1", _of_document(cases=2)),
    "no case": (LOST, "case opened: 0 instead of 1", _of_document(cases=0)),
    "a doubled charge": (DOUBLED, "TI-EI 3000: 2", _of_document(charged=Counter({("TI-EI", 3000): 2}))),
    "a charge of another amount": (LOST, "TI-EI 3000: 0", _of_document(charged=Counter({("TI-EI", 2999): 1}))),
    "a lost charge": (LOST, "TI-EI 3000: 0", _of_document(charged=Counter())),
    "a credit nobody is owed": (DOUBLED, "credit", _of_document(credited=Counter({("TI-EI", "withdrawn", 3000): 1}))),
    "a doubled notice": (
        DOUBLED,
        "notice org-2 task: 2",
        _of_document(told=Counter({(OWNER, "submitted"): 1, (AGENCY, "task"): 2})),
    ),
    "a lost notice": (LOST, "notice org-1 submitted: 0", _of_document(told=Counter({(AGENCY, "task"): 1}))),
    "a lost task": (LOST, "task BANK domiciliation: 0", _of_document(tasks=Counter())),
    "a doubled task": (DOUBLED, "task", _of_document(tasks=Counter({("BANK", "domiciliation"): 2}))),
    "a move that is missing": (LOST, "moves", _of_document(moves=MOVES[:1])),
    "a move made twice": (DOUBLED, "moves", _of_document(moves=(*MOVES, MOVES[1]))),
    "moves out of order": (WRONG, "out of order", _of_document(moves=(MOVES[1], MOVES[0]))),
    "timeline items out of order": (WRONG, "timeline items", _of_document(items=(1, 3, 2, 4))),
    "a gap in the timeline": (WRONG, "timeline items", _of_document(items=(1, 2, 4))),
    "goods taken twice": (WRONG, "ledger", _of_document(ledger={1: (Decimal(10), Decimal(5), Decimal(0))})),
    "a payment booked twice": (WRONG, "settled: (700, 600)", _of_document(settled=(700, 600))),
    "a declaration that is gone": (
        LOST,
        "declaration run-3-1",
        lambda history, _: history.operations.append(
            operation(3, "events", path="/v1/declarations/run-3-1/events", answer={})
        ),
    ),
    "money from nowhere": (WRONG, "sums to 5", lambda _, world: world.unbalanced.update({"MAD": 5})),
    "an orphan": (WRONG, "routing knows", lambda _, world: world.orphans.append("routing knows x, intake does not")),
    "a letter that never left": (LOST, "letter", lambda _, world: world.letters_missing.append("letter 1")),
    "a letter twice": (DOUBLED, "letter", lambda _, world: world.letters_doubled.append("letter 1")),
    "a buried event": (LOST, "buried", lambda _, world: world.buried.append("billing: DocumentSubmitted")),
    "what everybody sees differs from what is kept": (
        WRONG,
        "state: PENDING",
        lambda _, world: world.public.update({"doc-1": Seen(state="PENDING")}),
    ),
    "a refusal that had its effect": (
        WRONG,
        "there all the same",
        lambda _, world: world.by_key.update({(OWNER, "run-2"): "doc-1"}),
    ),
    "a refusal of what is good": (
        WRONG,
        "which the model takes",
        lambda history, _: history.operations.append(operation(1, outcome=FAILED, status=422, answer={"code": "X"})),
    ),
    "an answer that never came": (
        WRONG,
        "never answered",
        lambda history, _: history.operations.append(operation(3, "decide", outcome=UNKNOWN, answer={})),
    ),
    "an act refused that was foretold": (
        WRONG,
        "409",
        lambda history, _: history.operations.append(
            operation(3, "decide", outcome=FAILED, status=409, answer={"code": "TASK_CLOSED"})
        ),
    ),
    "a player who gave up": (
        LOST,
        "never got the task",
        lambda history, _: history.played.update({1: Played(0, "BANK never got the task", 2.0)}),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found(lie: str) -> None:
    kind, text, falsify = LIES[lie]
    history, world = truth()
    falsify(history, world)
    assert any(one.kind == kind and text in one.text for one in found(history, world)), found(history, world)


def test_what_the_model_refuses_must_not_be_taken() -> None:
    history, world = truth()
    assert [one.text for one in check(history, world, {})] == ["taken, which the model refuses"]


def test_a_foretold_refusal_is_no_finding() -> None:
    history, world = truth()
    history.operations.append(
        operation(3, "imputations", outcome=FAILED, status=409, answer={"code": "QUANTITY_EXCEEDED"})
    )
    assert found(history, world) == []


def test_a_retry_under_the_same_key_that_is_answered_otherwise_is_found() -> None:
    history, world = truth()
    again = Line("answered", 9.0, 1, outcome=OK, status=201, answer={"id": "doc-9"})
    history.operations[0].hears(again)
    assert [one.kind for one in found(history, world)] == [DOUBLED]
    history, world = truth()
    history.operations[0].hears(Line("answered", 9.0, 1, outcome=OK, status=201, answer={"id": "doc-1"}))
    assert found(history, world) == []


def test_a_finding_says_under_which_fault_its_document_was_sent() -> None:
    history, world = truth()
    history.faults.append(Fault("kill -9 billing", 0.5))
    world.documents["doc-1"].charged = Counter()
    (finding,) = found(history, world)
    assert history.fault_at(finding.at) == "kill -9 billing"
