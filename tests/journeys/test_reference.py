"""Generated documents through the public door: each ends where a plain reading of the pack says it must.

`PORTOLAN_REFERENCE_DOCUMENTS` says how many; ten thousand are the full measure.
"""

import copy
import os
from collections.abc import Iterator

import pytest
from packs.reader import default_pack_path
from portolan_cli.reference import acts
from portolan_cli.reference.book import Book
from portolan_cli.reference.run import run

from tests.journeys.conftest import System, a_system

DOCUMENTS = int(os.environ.get("PORTOLAN_REFERENCE_DOCUMENTS", "150"))
SECONDS_EACH_MAX = 2
SEED = 7
MISREAD_DOCUMENTS, MISREAD_PATIENCE_S = 12, 4.0


@pytest.fixture
def window() -> Iterator[System]:
    """Each its own: a run moves it on by more than half a year."""
    with a_system() as running:
        yield running


@pytest.mark.timeout(300 + SECONDS_EACH_MAX * DOCUMENTS)
def test_every_document_ends_as_the_model_says(window: System) -> None:
    report = run(window.base_url, window.home, default_pack_path(), documents=DOCUMENTS, seed=SEED)
    failures = {f"seed {SEED} number {one.document.number}": one.differences for one in report.failures}
    assert failures == {}
    assert report.tally.documents.total() == DOCUMENTS
    assert report.tally.notices > DOCUMENTS, "everybody concerned was told, of every document"
    assert len(report.tally.documents) == len({key for key, _ in report.tally.states}), "each type has come to an end"
    if DOCUMENTS >= 10_000:
        assert report.unmet_rules(Book(default_pack_path())) == []
        assert set(acts.OF_THE_CLOCK) <= set(report.tally.acts)


def misread() -> Book:
    """A reading of the pack that is wrong in three places: each price, one rule of who is told, the name of an end."""
    book = Book(default_pack_path())
    book.tariffs = copy.deepcopy(book.tariffs)
    for item in book.tariffs[-1]["items"]:
        item["net_minor"] += 100
    book.notification_rules = [rule for rule in book.notification_rules if rule["id"] != "N15"]
    for kind in book.types.values():
        for move in kind["transitions"]:
            move["to"] = "ELSEWHERE" if move["to"] in ("FULLY_IMPUTED", "CONFORM") else move["to"]
    return book


def test_a_system_that_did_otherwise_would_be_found_out(window: System) -> None:
    """The other way round: where the model is wrong, the true system differs from it by just that."""
    report = run(
        *(window.base_url, window.home, default_pack_path()),
        documents=MISREAD_DOCUMENTS,
        seed=SEED + 1,
        book=misread(),
        patience_s=MISREAD_PATIENCE_S,
    )
    found = {difference.split()[0].strip(":") for one in report.failures for difference in one.differences}
    assert {"moves", "state", "charge", "notice"} <= found
    told = [difference for one in report.failures for difference in one.differences if difference.startswith("notice")]
    assert any("N15" in difference for difference in told)
