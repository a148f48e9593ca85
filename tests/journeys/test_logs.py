"""Logs are events with fields, and name no person: they are read by people who may not know whose document it is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import submitted
from tests.journeys.conftest import SERVICES, System

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
BACK_S_MAX = 30.0
FIELDS = {"event", "level", "timestamp", "trace_id"}


def lines(system: System) -> Iterator[tuple[str, str]]:
    for service in SERVICES:
        log = system.run_file()["services"][service]["log"]
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                yield service, line.rstrip("\n")


def until_back(system: System, service: str, former: int) -> None:
    until = time.monotonic() + BACK_S_MAX
    while system.run_file()["services"][service]["pid"] in (None, former) or not system.is_ready():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_logs_are_events_and_name_nobody(system: System, portolan: Portolan, demo: Demo, broker: Actor) -> None:
    """Also where something fails: intake is killed while documents come in, and its readers say so."""
    submitted(portolan, demo, broker)
    former = system.pid("intake")
    system.kill("intake")
    until_back(system, "intake", former)
    submitted(portolan, demo, broker)
    content = system.demo_content()
    people = {str(one["name"]) for one in content["users"]}
    secrets = {str(one["client_secret"]) for one in content["clients"]}
    found = list(lines(system))
    for service, line in found:
        told: dict[str, Any] = json.loads(line)
        assert told.keys() >= FIELDS, (service, line)
        assert not ADDRESS.search(line), (service, line)
        assert not any(one in line for one in people | secrets), (service, line)
    assert people
    assert secrets
    assert found
