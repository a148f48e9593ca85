"""The whole system on Apache Kafka, Redis and PostgreSQL, each process kind in the hands of the test."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from packs.reader import default_pack_path
from portolan_cli import demo_file, desk
from portolan_cli.embedded import run_file
from portolan_cli.embedded.plan import GATEWAY, SERVICES
from portolan_cli.golden import Play, load_all, play
from portolan_cli.stack import leftovers, system
from portolan_cli.stack.service import twin
from portolan_cli.stack.stack import Stack

from tests.servers import require

# A title that is used up, a licence by two officers, a clearance by two agencies.
CASES = ("ei_shoes", "li_used_clothing", "export_oranges")
LEAVE_S_MAX = 12.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-system-") as folder:
        Path(folder).chmod(0o755)
        with Stack(Path(folder)) as started:
            yield started
        assert leftovers.bearing(leftovers.mark(Path(folder), system.ROLE)) == []


def played(stack: Stack, name: str) -> Play:
    case = next(one for one in load_all(default_pack_path()) if one.name == name)
    return play(case, demo_file.read(demo_file.path(stack.folder)))


@pytest.mark.parametrize("name", CASES)
def test_golden_cases_end_on_the_stack_as_they_do_elsewhere(stack: Stack, name: str) -> None:
    assert played(stack, name).differences == []


@pytest.mark.parametrize("service", [*SERVICES, GATEWAY])
def test_every_kind_of_every_service_has_a_process_of_its_own(stack: Stack, service: str) -> None:
    one = stack.process(service, "api")
    environment = {**one.plan.environment, "PORTOLAN_METRICS_PORT": "0"}
    asked = subprocess.run(
        [*one.plan.command[:-1], "what"], env=environment, capture_output=True, text=True, check=False
    )
    offered = set(asked.stderr.rpartition("usage:")[2].split(f"{service} ")[-1].strip().split(" | "))
    ours = {kind for name, kind in stack.processes if name == service}
    assert ours == offered - {"all", "bootstrap", "replay", "dead", *system.JOBS}
    assert len({stack.process(service, kind).pid for kind in ours}) == len(ours)


@pytest.mark.parametrize("kind", ["consumer", "relay"])
def test_what_a_killed_process_left_undone_is_done_when_it_is_back(stack: Stack, kind: str) -> None:
    process = stack.process("routing", kind)
    process.kill9()
    assert not process.is_running
    process.start()
    assert played(stack, "ei_shoes").differences == []


def test_a_killed_broker_is_caught_up_with(stack: Stack) -> None:
    stack.servers.broker(1).kill9()
    stack.servers.broker(1).start()
    assert played(stack, "ei_shoes").differences == []


@pytest.mark.parametrize(("service", "kind"), [("gateway", "api"), ("intake", "api"), ("billing", "consumer")])
def test_a_process_that_is_asked_to_leave_goes_with_0_within_its_limit(stack: Stack, service: str, kind: str) -> None:
    departure = stack.process(service, kind).restart()
    assert departure.exit_code == 0
    assert departure.seconds < LEAVE_S_MAX


def test_a_paused_process_is_silent_and_goes_on(stack: Stack) -> None:
    gateway = stack.process("gateway", "api")
    gateway.pause()
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{stack.base_url}/readyz", timeout=0.5)
    assert not gateway.is_ready()
    gateway.resume()
    gateway.wait_ready()


def test_a_process_can_be_told_what_no_other_is_told(stack: Stack) -> None:
    process = stack.process("notifications", "relay")
    process.own["PORTOLAN_CLOCK_AHEAD_S"] = "600"
    process.restart()
    told = b"PORTOLAN_CLOCK_AHEAD_S=600"
    assert told in leftovers.environment(process.pid or 0)
    assert told not in leftovers.environment(stack.process("notifications", "api").pid or 0)
    del process.own["PORTOLAN_CLOCK_AHEAD_S"]
    process.restart()


def test_a_second_instance_stands_beside_the_first(stack: Stack) -> None:
    beside = twin(stack.process("gateway", "api"))
    beside.start()
    try:
        assert httpx.get(f"http://127.0.0.1:{beside.plan.http_port}/readyz").status_code == 200
        assert stack.process("gateway", "api").is_ready()
    finally:
        departure = beside.terminate()
    assert departure.exit_code == 0


def test_its_status_names_every_process_with_its_memory(stack: Stack) -> None:
    described = desk.status(stack.folder)
    names = {one.name for one in stack.everything}
    assert names < set(described["memory_mb"]) | {"supervisor"}
    assert all(described["memory_mb"][name] > 0 for name in ("kafka-1", "redis", "postgres", "intake-consumer"))


def test_a_database_of_each_service_is_found_by_its_name(stack: Stack) -> None:
    assert stack.database_url("intake").rpartition("/")[2] == "portolan_intake"
    assert run_file.read(stack.folder) is not None


def test_redis_away_disturbs_nobody(stack: Stack) -> None:
    stack.redis.kill9()
    try:
        assert played(stack, "ei_shoes").differences == []
    finally:
        stack.redis.start()


def test_a_consumer_that_slept_wakes_to_its_work(stack: Stack) -> None:
    consumer = stack.process("billing", "consumer")
    consumer.pause()
    time.sleep(1)
    consumer.resume()
    assert played(stack, "ei_shoes").differences == []
