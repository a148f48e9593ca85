"""Turns that follow each other are apart; the first after a rest is not."""

import asyncio

from kit.pace import Pace

APART_S = 0.05


async def test_turns_are_apart_and_the_first_after_a_rest_comes_at_once() -> None:
    pace, clock = Pace(APART_S), asyncio.get_running_loop().time
    began = clock()
    await pace.turn()
    first = clock() - began
    await pace.turn()
    second = clock() - began
    await asyncio.sleep(2 * APART_S)
    began = clock()
    await pace.turn()
    assert first < APART_S / 2
    assert second >= APART_S * 0.9
    assert clock() - began < APART_S / 2
