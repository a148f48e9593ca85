"""How long steps take: counted once as they are decided, added up from time to time, told of no single document."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from intake.actions import measuring
from intake.actions.hearing import Happening
from intake.domain.documents import Item
from intake.domain.durations import SAMPLES_MIN, WINDOW
from intake.store import durations
from intake.store.timelines import Task
from kit import clock, ids

from tests.intake.builders import Window

pytestmark = pytest.mark.service("intake")

STEP, AGENCY = "domiciliation", "BANK-9"


async def opened(window: Window, document_id: str, at: datetime) -> str:
    task_id = ids.new_id()
    item = Item("task_opened", at, agency=AGENCY, step=STEP)
    await window.hear(Happening(document_id, item, opened=Task(task_id, document_id, AGENCY, STEP, at, None)))
    return task_id


async def decided(window: Window, document_id: str, task_id: str, at: datetime) -> None:
    item = Item("task_decided", at, actor="officer-1", agency=AGENCY, step=STEP, detail={"outcome": "accept"})
    await window.hear(Happening(document_id, item, closed_task_id=task_id))


async def took(window: Window, *seconds: int, ago: timedelta = timedelta()) -> None:
    """As many tasks, decided that long after they were opened."""
    title = await window.title("REGISTERED")
    for one in seconds:
        ended = clock.now() - ago
        task_id = await opened(window, title, ended - timedelta(seconds=one))
        await decided(window, title, task_id, ended)
        await decided(window, title, task_id, ended + timedelta(hours=1))


async def waiting(window: Window, document_id: str) -> list[dict[str, Any]]:
    return list((await window.timeline(document_id))["waiting"])


async def test_a_waiting_step_tells_the_median_of_those_before(window: Window) -> None:
    await took(window, 60, 120, 600, 7_200, 90_000)
    title = await window.title("REGISTERED")
    assert await waiting(window, title) == []
    task_id = await opened(window, title, clock.now())
    [before] = await waiting(window, title)
    assert (before["agency"], before["step"], before["median_seconds_90d"], before["decided_90d"]) == (
        *(AGENCY, STEP, None, 0),
    )
    assert await measuring.roll_up(window.db)
    [after] = await waiting(window, title)
    assert (after["median_seconds_90d"], after["decided_90d"]) == (600, 5)
    [shown] = await measuring.shown(window.db)
    assert (shown.type, shown.step, shown.agency, shown.median_seconds) == ("import_title.ei", STEP, AGENCY, 600)
    await decided(window, title, task_id, clock.now())
    assert await waiting(window, title) == []


async def test_of_too_few_nobody_is_told(window: Window) -> None:
    await took(window, *[60] * (SAMPLES_MIN - 1))
    await measuring.roll_up(window.db)
    assert await measuring.shown(window.db) == []
    title = await window.title("REGISTERED")
    await opened(window, title, clock.now())
    [one] = await waiting(window, title)
    assert (one["median_seconds_90d"], one["decided_90d"]) == (None, SAMPLES_MIN - 1)


async def test_what_is_older_counts_no_more_and_the_newest_count_alone(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    await took(window, *[10] * SAMPLES_MIN, ago=WINDOW + timedelta(days=1))
    await took(window, *[500] * SAMPLES_MIN, ago=timedelta(days=80))
    await measuring.roll_up(window.db)
    assert [one.median_seconds for one in await measuring.shown(window.db)] == [500]
    await took(window, *[900] * SAMPLES_MIN)
    monkeypatch.setattr(durations, "SAMPLES_MAX", SAMPLES_MIN)
    with time_machine.travel(clock.now() + measuring.ROLL_UP_EVERY):
        assert await measuring.roll_up(window.db)
    assert [(one.median_seconds, one.samples) for one in await measuring.shown(window.db)] == [(900, SAMPLES_MIN)]


async def test_it_is_added_up_once_in_a_while_whoever_asks(window: Window) -> None:
    assert [await measuring.roll_up(window.db) for _ in range(3)] == [True, False, False]


async def test_a_case_that_ends_undecided_does_not_count(window: Window) -> None:
    title = await window.title("REGISTERED")
    await opened(window, title, clock.now())
    await window.hear(Happening(title, Item("case_closed", clock.now()), closes_case=True))
    assert await window.count("select count(*) from closed_steps") == 0
