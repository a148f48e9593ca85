"""The supervisor heals what dies, stops in reverse order, and leaves nobody behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from portolan_cli.embedded import leftovers, run_file, service
from portolan_cli.embedded.service import backoff_s

STUB_RUN = Path(__file__).with_name("stub_run.py")
WAIT_S = 20.0


class Run:
    """A supervisor process on its own folder."""

    def __init__(self, home: Path, *behaviours: str) -> None:
        self.home = home
        command = [sys.executable, str(STUB_RUN), str(home), *behaviours]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def described(self) -> dict[str, Any]:
        file = run_file.path(self.home)
        return json.loads(file.read_text()) if file.exists() else {}

    def pid(self, name: str) -> int:
        return int(self.described()["services"][name]["pid"])

    def wait_ready(self) -> None:
        until(lambda: self.is_described() and self.described()["state"] == "ready")

    def is_described(self) -> bool:
        """By itself, and not by a run that was killed before it."""
        return bool(self.described()) and self.described()["supervisor"]["pid"] == self.process.pid

    def pids(self) -> list[int]:
        described = self.described()
        return [described["postgres"]["pid"], *(one["pid"] for one in described["services"].values())]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def started() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="portolan-run-") as home:
        Path(home).chmod(0o711)

        def start(*behaviours: str) -> Run:
            runs.append(Run(Path(home), *(behaviours or ("plain", "plain"))))
            return runs[-1]

        yield start
        for run in runs:
            run.end()
        leftovers.stop(Path(home) / "postgres" / "data")


def test_a_service_killed_without_warning_is_started_again(started: Callable[..., Run]) -> None:
    run = started()
    run.wait_ready()
    killed = run.pid("first")
    os.kill(killed, signal.SIGKILL)
    until(lambda: run.pid("first") != killed and run.described()["services"]["first"]["state"] == "ready")
    assert run.described()["services"]["first"]["restarts"] == 1


def test_a_database_killed_without_warning_is_started_again_on_the_same_port(started: Callable[..., Run]) -> None:
    run = started()
    run.wait_ready()
    before = run.described()["postgres"]
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: run.described()["postgres"]["pid"] != before["pid"])
    assert run.described()["postgres"]["port"] == before["port"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_reverse_order_and_leaves_nothing_behind(started: Callable[..., Run], number: int) -> None:
    run = started()
    run.wait_ready()
    pids = run.pids()
    run.process.send_signal(number)
    assert run.process.wait(WAIT_S) == 0
    assert (run.home / "left").read_text().split() == ["second", "first"]
    assert not any(map(run_file.is_alive, pids))
    assert not run_file.path(run.home).exists()


def test_what_does_not_leave_when_asked_is_killed_when_asked_twice(started: Callable[..., Run]) -> None:
    run = started("plain", "stubborn")
    run.wait_ready()
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    until((run.home / "left").exists)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(WAIT_S) == 0
    assert time.monotonic() - began < service.STOP_S_MAX


def test_children_die_with_a_supervisor_that_was_killed_and_the_next_run_starts(started: Callable[..., Run]) -> None:
    run = started()
    run.wait_ready()
    pids = run.pids()
    run.process.kill()
    until(lambda: not any(map(run_file.is_alive, pids)))
    again = started()
    again.wait_ready()
    assert set(again.pids()).isdisjoint(pids)


def test_a_service_that_never_becomes_ready_stops_the_run_and_says_why(started: Callable[..., Run]) -> None:
    run = started("plain", "broken")
    output, _ = run.process.communicate(timeout=WAIT_S)
    assert run.process.returncode == 1
    assert "second ended 6 times" in output
    assert "this service is broken" in output
    assert not run_file.path(run.home).exists()


def test_a_second_supervisor_on_the_same_folder_is_refused(started: Callable[..., Run]) -> None:
    run = started()
    run.wait_ready()
    output, _ = started().process.communicate(timeout=WAIT_S)
    assert "another process already runs PostgreSQL" in output
    assert all(map(run_file.is_alive, run.pids()))


def test_backoff_grows_to_its_limit() -> None:
    assert backoff_s(1) == service.BACKOFF_S_FIRST
    assert backoff_s(2) == 2 * service.BACKOFF_S_FIRST
    assert backoff_s(100) == service.BACKOFF_S_MAX
