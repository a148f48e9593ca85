"""Time that passes for the whole demo at once, so that what happens when nobody acts can be seen to happen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kit import clock

from portolan_cli.golden.case import Step
from portolan_cli.golden.stage import Stage


class ClockStands(Exception):
    """What answers did not move on: it is not what runs in this home, or not in demo mode."""


def wait(stage: Stage, step: Step) -> Any:
    """Every process of the demo lives that much later when this returns; what is due then happens in its own time."""
    by, file = timedelta(**step.arguments), stage.demo.clock
    if file is None:
        raise ClockStands("only a demo that runs on this machine can be moved on")
    before = _time_there(stage)
    clock.move_on(file, by)
    if _time_there(stage) < before + by:
        raise ClockStands(f"{stage.demo.base_url} does not follow {file}")
    return {"waited_s": by.total_seconds()}


def _time_there(stage: Stage) -> datetime:
    return datetime.fromisoformat(stage.portolan.get("/status")["at"])
