"""Generated documents through the public door: each ends where a plain reading of the pack says it must.

`PORTOLAN_REFERENCE_DOCUMENTS` says how many; ten thousand are the full measure.
"""

import os

import pytest
from packs.reader import default_pack_path
from portolan_cli.reference.book import Book
from portolan_cli.reference.run import run

from tests.journeys.conftest import System

DOCUMENTS = int(os.environ.get("PORTOLAN_REFERENCE_DOCUMENTS", "150"))
SECONDS_EACH_MAX = 2
SEED = 7


@pytest.mark.timeout(300 + SECONDS_EACH_MAX * DOCUMENTS)
def test_every_document_ends_as_the_model_says(system: System) -> None:
    report = run(system.base_url, system.home, default_pack_path(), documents=DOCUMENTS, seed=SEED)
    failures = {f"seed {SEED} number {one.document.number}": one.differences for one in report.failures}
    assert failures == {}
    assert report.tally.documents.total() == DOCUMENTS
    assert len(report.tally.documents) == len({key for key, _ in report.tally.states}), "each type has come to an end"
    if DOCUMENTS >= 10_000:
        assert report.unmet_rules(Book(default_pack_path())) == []
