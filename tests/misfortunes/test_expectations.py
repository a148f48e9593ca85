"""A life cut short is what the system does by itself after the acts that were made, and nothing of what follows."""

from __future__ import annotations

from datetime import date

import packs
import pytest
from packs.reader import default_pack_path
from portolan_cli import generation
from portolan_cli.generation import Generated, Generator
from portolan_cli.reference.book import Book

from tests.misfortunes.expectations import Cast, expected, filed, is_taken, stretch, whole

DAY = date(2026, 5, 4)
DOCUMENTS = 60


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(default_pack_path())


@pytest.fixture(scope="module")
def generator() -> Generator:
    pack, mix = packs.read(default_pack_path()), generation.load(default_pack_path())
    return Generator(pack, mix, generation.companies(pack, mix, 0.2), 7, DAY)


@pytest.fixture(scope="module")
def cast(generator: Generator) -> Cast:
    documents = [generator.document(number) for number in range(1, DOCUMENTS)]
    keys = {one.key for document in documents for one in (document.owner, document.submitter)}
    return Cast({key: f"id of {key}" for key in keys}, {})


def valid(generator: Generator) -> list[Generated]:
    return [one for one in map(generator.document, range(1, DOCUMENTS)) if not one.fault]


def test_every_prefix_of_a_life_is_shorter_and_the_last_one_is_the_whole(
    book: Book, generator: Generator, cast: Cast
) -> None:
    for document in valid(generator):
        of = filed(document, cast, DAY.isoformat(), f"document {document.number}")
        assert is_taken(book, of)
        life = whole(book, of, document)
        lengths = [len(stretch(book, of, document, acts).events) for acts in range(len(life.acts) + 1)]
        assert lengths == sorted(lengths)
        assert stretch(book, of, document, len(life.acts)).events == life.events


def test_what_nobody_touched_waits_for_its_first_act(book: Book, generator: Generator, cast: Cast) -> None:
    waiting = 0
    for document in valid(generator):
        of = filed(document, cast, DAY.isoformat(), f"document {document.number}")
        foretold = expected(book, of, document, 0, cast)
        assert foretold.body
        assert foretold.version == 1
        waiting += bool(foretold.tasks)
    assert waiting > DOCUMENTS / 2


def test_a_document_with_a_fault_is_not_taken(book: Book, generator: Generator, cast: Cast) -> None:
    spoilt = next(one for one in map(generator.document, range(1, DOCUMENTS)) if one.fault)
    assert not is_taken(book, filed(spoilt, cast, DAY.isoformat()))
