"""A title's validity passes: what is left is imputed no more, what stands at the port still is, once, whoever looks."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from intake.actions import expiring
from kit import clock, outbox
from kit.errors import Refused

from tests.intake.builders import Window
from tests.intake.settlements import pay

pytestmark = pytest.mark.service("intake")


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock on by so many days from now."""
    began = clock.now()

    def travel(days: float) -> datetime:
        moment = began + timedelta(days=days)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    return travel


async def state(window: Window, title: str) -> str:
    return str((await window.document(title))["state"])


async def sweep(window: Window) -> int:
    return await expiring.sweep(window.db, window.rulebooks)


async def test_a_title_lives_through_its_last_day_and_not_the_next(window: Window, today: Any) -> None:
    title = await window.title()
    until = datetime.fromisoformat((await window.document(title))["valid_until"])
    days = (until - clock.now()) / timedelta(days=1)
    today(days - 0.01)
    assert await sweep(window) == 0
    today(days + 1)
    await sweep(window)
    assert await state(window, title) == "EXPIRED"
    last = (await window.timeline(title))["items"][-1]
    assert (last["from"], last["event"], last["actor"]) == ("CUSTOMS_ACCEPTED", "expire", "system")
    assert (await window.said(title))[-1] == "DocumentDecided"


async def test_an_expired_title_is_imputed_no_more_and_may_still_be_paid(window: Window, today: Any) -> None:
    title = await window.title()
    imputed = await window.impute(title, value={"amount_minor": 5_000, "currency": "USD"})
    today(200)
    await sweep(window)
    assert await state(window, title) == "EXPIRED"
    with pytest.raises(Refused):
        await window.impute(title, number="D-2", registered_on=imputed["registered_on"])
    assert (await pay(window, title, 5_000))["state"] == "RECORDED"


async def test_what_is_given_back_after_the_end_leaves_a_title_expired(window: Window, today: Any) -> None:
    title = await window.title()
    imputed = await window.impute(title)
    today(200)
    await sweep(window)
    await window.cancel(title, imputed["id"])
    await sweep(window)
    assert (await state(window, title), (await window.figures(title))["consumed"]) == ("EXPIRED", "0")


async def test_a_full_title_does_not_expire_until_something_is_given_back(window: Window, today: Any) -> None:
    title = await window.title()
    imputed = await window.impute(title, quantity="12000")
    today(200)
    await sweep(window)
    assert await state(window, title) == "FULLY_IMPUTED"
    await window.cancel(title, imputed["id"])
    assert await state(window, title) == "CUSTOMS_ACCEPTED"
    await sweep(window)
    assert await state(window, title) == "EXPIRED"


@pytest.mark.parametrize("ending", ["used", "cancelled"])
async def test_what_stands_at_the_port_keeps_a_title_alive(window: Window, today: Any, ending: str) -> None:
    title = await window.title()
    held = await window.impute(title, reserve=True)
    today(200)
    assert await sweep(window) == 1
    assert await sweep(window) == 0
    assert await state(window, title) == "CUSTOMS_ACCEPTED"
    if ending == "used":
        await window.impute(title, registered_on=held["registered_on"])
    else:
        await window.cancel(title, held["id"])
    await sweep(window)
    assert await state(window, title) == "EXPIRED"


async def test_two_sweepers_at_once_are_one(window: Window, today: Any) -> None:
    kept = [await window.title() for _ in range(5)]
    today(200)
    await asyncio.gather(*(sweep(window) for _ in range(4)))
    for title in kept:
        moves = [item["event"] for item in (await window.timeline(title))["items"]]
        assert moves.count("expire") == 1
        assert (await window.said(title)).count("DocumentDecided") == 4


async def test_a_week_of_downtime_is_made_up_for_batch_by_batch(
    window: Window, today: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [await window.title() for _ in range(5)]
    monkeypatch.setattr(expiring, "SWEEP_DOCUMENTS_MAX", 2)
    today(200)
    stop = asyncio.Event()
    watching = asyncio.create_task(expiring.watch(window.db, window.rulebooks, stop))
    for _ in range(500):
        if not await window.count("select count(*) from documents where state <> 'EXPIRED'"):
            break
        await asyncio.sleep(0.02)
    stop.set()
    await watching
    assert [await state(window, title) for title in kept] == ["EXPIRED"] * 5


class Killed(BaseException):
    """As a process ends: no code of ours gets to answer it."""


async def test_a_crash_between_the_move_and_its_event_leaves_nothing(
    window: Window, today: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = await window.title()
    today(200)

    async def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "append_many", die)
        with pytest.raises(Killed):
            await sweep(window)
    assert await state(window, title) == "CUSTOMS_ACCEPTED"
    await sweep(window)
    assert await state(window, title) == "EXPIRED"


async def test_whoever_imputes_at_the_very_end_does_so_before_or_not_at_all(window: Window, today: Any) -> None:
    title = await window.title()
    registered_on = clock.now().date().isoformat()
    today(200)
    outcomes = await asyncio.gather(
        sweep(window),
        *(window.impute(title, number=f"D-{n}", registered_on=registered_on) for n in range(6)),
        return_exceptions=True,
    )
    taken = [one for one in outcomes[1:] if isinstance(one, dict)]
    assert all(isinstance(one, Refused) for one in outcomes[1:] if one not in taken)
    await sweep(window)
    assert await state(window, title) == "EXPIRED"
    assert (await window.figures(title))["consumed"] == str(100 * len(taken))


async def test_one_title_that_fails_keeps_no_other_from_expiring(
    window: Window, today: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to end the sweep: the titles after it did not expire, for as long as it failed."""
    titles = [await window.title() for _ in range(3)]
    today(400)
    real = expiring._expire

    async def fails_for_one(tx: Any, rulebooks: Any, document: Any) -> None:
        if document.id == titles[0]:
            raise ValueError("unheard of")
        await real(tx, rulebooks, document)

    with monkeypatch.context() as patched:
        patched.setattr(expiring, "_expire", fails_for_one)
        assert await sweep(window) == 3
        assert await sweep(window) == 0
    assert [await state(window, title) for title in titles] == ["CUSTOMS_ACCEPTED", "EXPIRED", "EXPIRED"]
    today(401)
    assert await sweep(window) == 1
    assert await state(window, titles[0]) == "EXPIRED"
