"""/status on the real servers: what is away is named, submissions are accepted meanwhile, and then all is well."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from portolan_cli import demo_file
from portolan_cli.client import Portolan
from portolan_cli.stack.stack import Stack

from tests.journeys.bodies import submitted
from tests.servers import require

SEEN_S_MAX = 90.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-status-") as folder:
        Path(folder).chmod(0o755)
        with Stack(Path(folder)) as started:
            yield started


def eventually(stack: Stack, is_so: Callable[[dict[str, str]], bool]) -> dict[str, Any]:
    limit = time.monotonic() + SEEN_S_MAX
    while True:
        shown: dict[str, Any] = httpx.get(f"{stack.base_url}/status", timeout=20).json()
        if is_so({one["name"]: one["code"] for one in shown["dependencies"]}):
            return shown
        assert time.monotonic() < limit, shown
        time.sleep(0.3)


def is_well(codes: dict[str, str]) -> bool:
    return set(codes.values()) == {"OK"}


def submit(stack: Stack) -> None:
    demo = demo_file.read(demo_file.path(stack.folder))
    with Portolan(stack.base_url) as portolan:
        assert submitted(portolan, demo, demo.actor(kind="broker", role="declarant"))["id"]


def degraded(stack: Stack, name: str, code: str) -> dict[str, Any]:
    shown = eventually(stack, lambda codes: codes.get(name) == code)
    assert (shown["status"], shown["accepts_submissions"]) == ("degraded", True)
    submit(stack)
    return shown


@pytest.mark.parametrize("how", ["kill9", "pause"])
def test_redis_away_is_named_and_nothing_else_is_wrong(stack: Stack, how: str) -> None:
    eventually(stack, is_well)
    getattr(stack.redis, how)()
    try:
        shown = degraded(stack, "redis", "REDIS_AWAY")
    finally:
        stack.redis.start() if how == "kill9" else stack.redis.resume()
    assert {one["name"] for one in shown["dependencies"] if one["state"] == "down"} == set()
    eventually(stack, is_well)
    stack.redis.flush()
    submit(stack)


def test_kafka_away_is_named_by_every_service_and_the_age_of_what_waits_grows(stack: Stack) -> None:
    eventually(stack, is_well)
    stack.servers.broker(1).kill9()
    try:
        degraded(stack, "intake.bus", "BUS_DOWN")
        age = {one["name"]: one["age_seconds"] for one in eventually(stack, lambda codes: True)["dependencies"]}
        time.sleep(3)
        later = {one["name"]: one["age_seconds"] for one in eventually(stack, lambda codes: True)["dependencies"]}
        assert later["intake.bus"] > age["intake.bus"]
    finally:
        stack.servers.broker(1).start()
    eventually(stack, is_well)


@pytest.mark.parametrize("service", ["routing", "billing", "notifications"])
def test_a_service_away_is_named(stack: Stack, service: str) -> None:
    stack.process(service, "api").kill9()
    try:
        degraded(stack, service, "SERVICE_DOWN")
    finally:
        stack.process(service, "api").start()
    eventually(stack, is_well)


@pytest.mark.parametrize(("service", "kind"), [("billing", "consumer"), ("notifications", "poster")])
def test_a_process_without_a_port_is_missed(stack: Stack, service: str, kind: str) -> None:
    stack.process(service, kind).pause()
    try:
        degraded(stack, f"{service}.{kind}", "PROCESS_SILENT")
    finally:
        stack.process(service, kind).resume()
    eventually(stack, is_well)
