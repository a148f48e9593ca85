"""/status of the whole system, with each thing that can be away away: submissions are accepted, and it says so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo
from psycopg.conninfo import conninfo_to_dict

from tests.journeys.bodies import submitted
from tests.journeys.conftest import System

SEEN_S_MAX = 30.0
# Far less than a frozen service would take, more than a busy machine does.
ANSWER_S_MAX = 6.0
PROCESSES = {
    **dict.fromkeys(("identity", "routing", "billing", "intake"), ("relay", "consumer")),
    "notifications": ("relay", "consumer", "sender", "poster"),
}


def status(system: System) -> dict[str, Any]:
    began = time.monotonic()
    answer = httpx.get(f"{system.base_url}/status")
    assert answer.status_code == 200
    assert time.monotonic() - began < ANSWER_S_MAX
    found: dict[str, Any] = answer.json()
    return found


def codes(shown: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["code"] for one in shown["dependencies"]}


def eventually(system: System, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    limit = time.monotonic() + SEEN_S_MAX
    while not is_so(shown := status(system)):
        assert time.monotonic() < limit, shown
        time.sleep(0.2)
    return shown


def is_well(shown: dict[str, Any]) -> bool:
    return bool(shown["status"] == "ok")


def test_every_dependency_is_named_and_well(system: System) -> None:
    shown = eventually(system, is_well)
    wanted = {"intake.attachments"}
    for service, processes in PROCESSES.items():
        wanted |= {service, *(f"{service}.{part}" for part in ("database", "bus", *processes))}
    assert set(codes(shown)) == wanted
    assert shown["accepts_submissions"] is True


@contextmanager
def frozen(system: System, service: str) -> Iterator[None]:
    pid = system.pid(service)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("service", ["routing", "billing", "notifications"])
def test_without_a_service_submissions_are_accepted_and_status_says_so(
    system: System, portolan: Portolan, demo: Demo, broker: Actor, service: str
) -> None:
    """A process that stands still takes connections and answers nothing: the worst way of being away."""
    eventually(system, is_well)
    with frozen(system, service):
        shown = eventually(system, lambda shown: codes(shown)[service] != "OK")
        assert (shown["status"], shown["accepts_submissions"]) == ("degraded", True)
        assert submitted(portolan, demo, broker)["id"]
    eventually(system, is_well)


@contextmanager
def without_bus(system: System) -> Iterator[None]:
    """The bus takes no connection any more, and those there are end."""
    server = conninfo_to_dict(system.database_url("intake")) | {"dbname": "postgres"}
    with psycopg.connect(**server, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("alter database portolan_bus allow_connections false")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'portolan_bus'")
        try:
            yield
        finally:
            connection.execute("alter database portolan_bus allow_connections true")


def test_without_the_bus_submissions_are_accepted_and_the_age_of_what_waits_is_told(
    system: System, portolan: Portolan, demo: Demo, broker: Actor
) -> None:
    eventually(system, is_well)
    with without_bus(system):
        document = submitted(portolan, demo, broker)
        shown = eventually(system, lambda shown: codes(shown)["intake.bus"] == "BUS_DOWN")
        assert (shown["status"], shown["accepts_submissions"]) == ("degraded", True)
        first = _age(eventually(system, lambda shown: _age(shown) > 0.0))
        eventually(system, lambda shown: _age(shown) > first + 2.0)
    eventually(system, is_well)
    assert portolan.get(f"/v1/documents/{document['id']}", broker.credentials)["id"] == document["id"]


def _age(shown: dict[str, Any]) -> float:
    (bus,) = (one for one in shown["dependencies"] if one["name"] == "intake.bus")
    return float(bus["age_seconds"] or 0.0)
