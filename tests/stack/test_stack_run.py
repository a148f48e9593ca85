"""`portolan stack up` and `portolan run --profile stack`, as a developer starts them."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from portolan_cli import desk
from portolan_cli.embedded import ports, run_file
from portolan_cli.stack import servers_file

from tests.servers import require

READY_S_MAX = 240.0
STOP_S_MAX = 60.0


class Command:
    """`portolan …` in front of its own output file."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.output = home / f"{arguments[0]}.out"
        command = [sys.executable, "-m", "portolan_cli", *arguments, "--home", str(home)]
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)

    def said(self) -> str:
        return self.output.read_text()

    def wait_said(self, words: str) -> None:
        until(lambda: words in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()[-3000:]

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S_MAX)


def until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + READY_S_MAX
    while not is_so():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-run-stack-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def up(home: Path) -> Iterator[Command]:
    """The servers alone."""
    command = Command(home, "stack", "up")
    try:
        command.wait_said("PROFILE=stack")
        yield command
    finally:
        if command.process.poll() is None:
            command.interrupt()


@pytest.fixture(scope="module")
def run(home: Path, up: Command) -> Iterator[Command]:
    """The system on them."""
    command = Command(home, "run", "--profile", "stack", "--port", str(ports.free()))
    try:
        command.wait_said("Ctrl-C stops")
        yield command
    finally:
        if command.process.poll() is None:
            command.interrupt()


def described(home: Path) -> dict[str, Any]:
    return desk.status(home / "stack")


def pids(home: Path) -> dict[str, int]:
    return {name: one["pid"] for name, one in run_file.processes(described(home)).items()}


def test_status_shows_the_servers_alone(home: Path, up: Command) -> None:
    shown = described(home)
    assert shown["state"] == "servers alone"
    assert set(shown["memory_mb"]) == {"stack", "postgres", "redis", "kafka-1"}
    assert all(shown["memory_mb"].values())


def test_status_shows_servers_and_every_process(home: Path, run: Command) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "portolan_cli", "status", "--home", str(home)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "160"},
    ).stdout
    for name in ("kafka-1", "redis", "postgres", "stack", "intake-api", "intake-consumer", "intake-relay"):
        assert f" {name} " in shown
    assert "MB in all" in shown


def test_the_run_stands_on_the_servers_that_were_there(home: Path, up: Command, run: Command) -> None:
    assert described(home)["stack"]["pid"] == up.process.pid
    assert described(home)["supervisor"]["pid"] == run.process.pid


def test_the_demo_is_played_without_saying_where(home: Path, run: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "portolan_cli", "demo", "--case", "ei_shoes", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["routing-consumer", "intake-relay", "gateway-api"])
def test_a_process_that_is_killed_is_started_again(home: Path, run: Command, name: str) -> None:
    killed = pids(home)[name]
    os.kill(killed, signal.SIGKILL)
    until(lambda: pids(home)[name] not in (killed, None) and described(home)["services"][name]["state"] == "ready")


def test_a_broker_that_is_killed_is_started_again_by_whoever_runs_the_servers(home: Path, run: Command) -> None:
    folder = home / "stack"
    killed = _server_pid(folder, "kafka-1")
    os.kill(killed, signal.SIGKILL)
    until(lambda: _server_pid(folder, "kafka-1") != killed)
    base_url = described(home)["base_url"]
    assert httpx.get(f"{base_url}/readyz").status_code == 200
    assert pids(home)["kafka-1"] == _server_pid(folder, "kafka-1")


def _server_pid(folder: Path, name: str) -> int:
    content = servers_file.read(folder)
    assert content is not None
    return int(content["servers"][name]["pid"])


def test_a_second_run_is_refused(home: Path, run: Command) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "portolan_cli", "run", "--profile", "stack", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already running" in second.stderr


def test_stopped_it_leaves_nobody_and_the_servers_go_on(home: Path, up: Command, run: Command) -> None:
    ours = [pid for name, pid in pids(home).items() if "-" in name and not name.startswith("kafka")]
    assert run.interrupt() == 0, run.said()[-3000:]
    assert not any(map(run_file.is_alive, ours))
    assert up.process.poll() is None
    assert servers_file.read(home / "stack") is not None


def test_stack_down_ends_the_servers(home: Path, up: Command) -> None:
    content = servers_file.read(home / "stack")
    assert content is not None
    down = [sys.executable, "-m", "portolan_cli", "stack", "down", "--home", str(home)]
    assert subprocess.run(down, check=False).returncode == 0
    assert up.process.wait(STOP_S_MAX) == 0
    assert not any(run_file.is_alive(one["pid"]) for one in content["servers"].values())
    again = subprocess.run(down, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "no servers run" in again.stderr


def test_without_make_stack_it_starts_the_servers_itself_and_takes_them_along(home: Path) -> None:
    alone = Command(home, "run", "--profile", "stack", "--no-seed", "--port", str(ports.free()))
    alone.wait_said("Ctrl-C stops")
    everybody = [pid for pid in pids(home).values() if pid]
    alone.process.kill()
    alone.process.wait()
    until(lambda: not any(map(run_file.is_alive, everybody)))
