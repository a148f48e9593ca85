"""Officers' reads of their queue reach the access log, in their name, and nobody waits for it."""

from __future__ import annotations

import asyncio

from kit.errors import Unavailable

from tests.gateway.house import House


async def heard(house: House, count: int) -> list[tuple[str, list[str]]]:
    for _ in range(200):
        if len(house.services.intake.readings) >= count:
            break
        await asyncio.sleep(0.01)
    return house.services.intake.readings


async def test_a_task_and_a_queue_are_told_with_their_documents(house: House) -> None:
    officer = house.bearer("agency_officer")
    task = (await house.http.get("/v1/tasks/t-1", headers=officer)).json()
    assert await heard(house, 1) == [("get_task", [task["document_id"]])]
    tasks = (await house.http.get("/v1/tasks", headers=officer)).json()["items"]
    told = (await heard(house, 2))[-1]
    assert told == ("list_tasks", list(dict.fromkeys(one["document_id"] for one in tasks)))


async def test_an_access_log_that_is_away_keeps_nobody_from_their_queue(house: House) -> None:
    house.services.intake.refusal = Unavailable("OVERLOADED")
    answer = await house.http.get("/v1/tasks/t-1", headers=house.bearer("agency_officer"))
    assert answer.status_code == 200
    assert house.services.intake.readings == []
