"""The history held against the world: what was acknowledged and is lost, what is there twice, what is otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.misfortunes.expectations import Expected
from tests.misfortunes.history import FAILED, OK, UNKNOWN, History, Operation
from tests.misfortunes.world import Seen, World

LOST, DOUBLED, WRONG = "lost", "doubled", "wrong"
# People try to take too much, and are told so: what follows is held against the model all the same.
DECLARATIONS = "/v1/declarations/"
FORETOLD_REFUSALS = frozenset({"QUANTITY_EXCEEDED", "PAYMENT_EXCEEDED"})


@dataclass(frozen=True)
class Finding:
    """`document` is 0 where it is of none; `at` is when that was asked for, so that a fault can be named."""

    kind: str
    text: str
    document: int = 0
    at: float = 0.0


def check(history: History, world: World, expected: Mapping[int, Expected]) -> list[Finding]:
    """`expected` by the number of the document, of all that were taken."""
    found = [*_answers(history), *_played(history), *_submissions(history, world, expected)]
    found += [*_declarations(history, world), *_strays(history, world), *_whole(world)]
    return sorted(found, key=lambda one: (one.at, one.document, one.text))


def _answers(history: History) -> Iterator[Finding]:
    """One key, one answer; and in the end every operation has one."""
    for one in history.operations:
        yield from (_of(one, DOUBLED, text) for text in one.contradictions)
        if one.outcome == UNKNOWN:
            yield _of(one, WRONG, f"{one.name} {one.key} was never answered, not even when everything was well again")
        elif one.outcome == FAILED and one.name != "submit" and one.answer.get("code") not in FORETOLD_REFUSALS:
            yield _of(one, WRONG, f"{one.name} {one.key}: {one.status} {one.answer}")


def _declarations(history: History, world: World) -> Iterator[Finding]:
    for one in history.operations:
        if one.outcome == OK and one.path.startswith(DECLARATIONS):
            number = one.path.removeprefix(DECLARATIONS).partition("/")[0]
            if number not in world.declared:
                yield _of(one, LOST, f"declaration {number} was acknowledged and is not there")


def _played(history: History) -> Iterator[Finding]:
    for number, played in history.played.items():
        if played.trouble:
            yield Finding(LOST, f"after {played.acts} acts: {played.trouble}", number, played.at)


def _submissions(history: History, world: World, expected: Mapping[int, Expected]) -> Iterator[Finding]:
    for number, one in history.submissions.items():
        foretold = expected.get(number)
        if one.outcome == OK and foretold is None:
            yield _of(one, WRONG, "taken, which the model refuses")
        elif one.outcome == OK and foretold is not None:
            yield from _document(one, world, foretold)
        elif one.outcome == FAILED and foretold is not None:
            yield _of(one, WRONG, f"refused {one.status} {one.answer}, which the model takes")
        elif one.outcome == FAILED and (one.who, one.key) in world.by_key:
            yield _of(one, WRONG, "refused, and there all the same")


def _document(one: Operation, world: World, foretold: Expected) -> Iterator[Finding]:
    document_id = str(one.answer["id"])
    kept = world.by_key.get((one.who, one.key))
    if kept != document_id:
        yield _of(one, DOUBLED if kept else LOST, f"key {one.key} was answered {document_id}, and leads to {kept}")
    if document_id not in world.documents:
        yield _of(one, LOST, f"document {document_id} was acknowledged and is not there")
    for seen in (world.documents.get(document_id), world.public.get(document_id)):
        if seen is not None:
            yield from (_of(one, kind, f"{document_id} {text}") for kind, text in differences(foretold, seen))


def differences(foretold: Expected, seen: Seen) -> Iterator[tuple[str, str]]:
    """Of what was asked."""
    for name, wanted, found in (
        ("state", foretold.state, seen.state),
        ("version", foretold.version, seen.version),
        ("body", foretold.body, seen.body),
        ("settled", foretold.settled, seen.settled),
        ("ledger", _decimals(foretold), None if seen.ledger is None else dict(seen.ledger)),
    ):
        if found is not None and found != wanted:
            yield WRONG, f"{name}: {found}, not {wanted}"
    yield from _moves(foretold, seen)
    for what, counted in _counted(foretold, seen):
        yield from _more_or_less(what, *counted)


def _counted(foretold: Expected, seen: Seen) -> Iterator[tuple[str, tuple[Counter[Any], Counter[Any] | None]]]:
    yield "case", (Counter({"opened": 1}), None if seen.cases is None else Counter({"opened": seen.cases}))
    yield "task", (foretold.tasks, seen.tasks)
    yield "charge", (foretold.charged, seen.charged)
    yield "credit", (foretold.credited, seen.credited)
    yield "notice", (foretold.told, seen.told)


def _decimals(foretold: Expected) -> dict[int, tuple[Decimal, ...]]:
    return {line: tuple(map(Decimal, figures)) for line, figures in foretold.ledger.items()}


def _moves(foretold: Expected, seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.moves is not None and seen.moves != foretold.moves:
        kind = LOST if seen.moves == foretold.moves[: len(seen.moves)] else WRONG
        kind = DOUBLED if foretold.moves == seen.moves[: len(foretold.moves)] else kind
        yield kind, f"moves: {seen.moves}, not {foretold.moves}"
    if seen.moves is not None:
        for before, after in pairwise(seen.moves):
            if before[2] != after[0]:
                yield WRONG, f"out of order: {after[0]} after {before[2]}"
    if seen.items is not None and seen.items != tuple(range(1, len(seen.items) + 1)):
        yield WRONG, f"out of order: timeline items {seen.items}"


def _more_or_less(what: str, wanted: Counter[Any], found: Counter[Any] | None) -> Iterator[tuple[str, str]]:
    if found is None:
        return
    for key in sorted({*wanted, *found}, key=str):
        if found[key] != wanted[key]:
            kind = DOUBLED if found[key] > wanted[key] else LOST
            yield kind, f"{what} {_shown(key)}: {found[key]} instead of {wanted[key]}"


def _shown(key: Hashable) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _strays(history: History, world: World) -> Iterator[Finding]:
    """What is there and was never acknowledged: a retry that became a second document."""
    known = {str(one.answer["id"]) for one in history.submissions.values() if one.outcome == OK}
    for document_id in sorted({*world.documents} - known):
        yield Finding(DOUBLED, f"document {document_id} is there, and nobody was told of it")


def _whole(world: World) -> Iterator[Finding]:
    for currency, total in world.unbalanced.items():
        yield Finding(WRONG, f"the ledger of {currency} sums to {total}")
    for kind, texts in ((WRONG, world.orphans), (LOST, world.letters_missing), (DOUBLED, world.letters_doubled)):
        yield from (Finding(kind, text) for text in texts)
    yield from (Finding(LOST, f"buried: {text}") for text in world.buried)


def _of(one: Operation, kind: str, text: str) -> Finding:
    return Finding(kind, text, one.document, one.invoked_at)
