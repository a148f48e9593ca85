"""One misfortune of each sort on the real servers, under a lighter load; `make misfortunes` is the full measure."""

import pytest

from tests.misfortunes import plays, report
from tests.misfortunes.plays import Wish
from tests.servers import require


@pytest.mark.timeout(900)
def test_faults_cost_nothing() -> None:
    require("kafka", "redis")
    outcome = plays.shortened(Wish())
    print(report.table(outcome))
    assert outcome.documents > 500
    assert outcome.acts > 20
    assert outcome.findings == []
    assert outcome.troubles == []
