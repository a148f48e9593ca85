"""The plain model asked about every document of a history, on all cores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import packs
from portolan_cli import generation
from portolan_cli.generation import Generator
from portolan_cli.reference.book import Book
from portolan_cli.reference.weights import NOTHING, Known

from tests.misfortunes import expectations
from tests.misfortunes.expectations import Cast, Expected
from tests.misfortunes.history import OK, History
from tests.misfortunes.scene import COMPANIES_SCALE, ROUND, Scene

AT_ONCE = 200


@dataclass(frozen=True)
class Question:
    """`known` is None where the window has not said: then only whether the document is taken."""

    number: int
    document_id: str
    acts: int
    known: Known | None


@dataclass
class Model:
    book: Book
    generator: Generator
    cast: Cast
    day: str

    def answer(self, asked: Question) -> Expected | None:
        document = replace(self.generator.document(asked.number % ROUND), number=asked.number)
        of = expectations.filed(document, self.cast, self.day, asked.document_id, asked.known or NOTHING)
        if not expectations.is_taken(self.book, replace(of, known=NOTHING)):
            return None
        return expectations.expected(self.book, of, document, asked.acts, self.cast)


_model: Model | None = None


def all_of(scene: Scene, told: History, known: Mapping[str, Known]) -> dict[int, Expected]:
    """Of all that the model takes, whatever the system said."""
    asked = [_question(told, number, known) for number in told.submissions]
    pieces = [asked[place : place + AT_ONCE] for place in range(0, len(asked), AT_ONCE)]
    given = (scene.folder, scene.seed, scene.day, scene.ids)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _open, given) as workers:
        answers = [answer for piece in workers.map(_answers, pieces) for answer in piece]
    return {one.number: answer for one, answer in zip(asked, answers, strict=True) if answer is not None}


def _question(told: History, number: int, known: Mapping[str, Known]) -> Question:
    one = told.submissions[number]
    document_id = str(one.answer.get("id", "")) if one.outcome == OK else ""
    acts = told.played[number].acts if number in told.played else 0
    return Question(number, document_id, acts, known.get(document_id))


def _open(folder: Path, seed: int, day: str, cast: Cast) -> None:
    global _model
    pack, mix = packs.read(folder), generation.load(folder)
    companies = generation.companies(pack, mix, COMPANIES_SCALE)
    generator = Generator(pack, mix, companies, seed, date.fromisoformat(day))
    _model = Model(Book(folder), generator, cast, day)


def _answers(asked: Sequence[Question]) -> list[Expected | None]:
    if _model is None:
        raise RuntimeError("the model was not opened")
    return [_model.answer(one) for one in asked]
