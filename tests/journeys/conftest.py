"""The whole embedded system, started as a newcomer starts it, with processes that tests may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from portolan_cli import demo_file
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo
from portolan_cli.embedded import ports

READY_S_MAX = 60.0
STOP_S_MAX = 30.0
SERVICES = ("identity", "intake", "routing", "billing", "notifications", "gateway")


@dataclass
class System:
    """`portolan run` on a home of its own."""

    home: Path
    port: int
    pack: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Seconds until ready."""
        began = time.monotonic()
        command = [sys.executable, "-m", "portolan_cli", "run", "--port", str(self.port), "--home", str(self.home)]
        command += ["--pack", str(self.pack)] if self.pack else []
        with (self.home / "run.out").open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        while not self.is_ready():
            assert self.process.poll() is None, (self.home / "run.out").read_text()[-3000:]
            assert time.monotonic() - began < READY_S_MAX, (self.home / "run.out").read_text()[-3000:]
            time.sleep(0.1)
        return time.monotonic() - began

    def is_ready(self) -> bool:
        try:
            return (self.home / "demo.json").exists() and httpx.get(f"{self.base_url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S_MAX)

    def run_file(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return content

    def pid(self, service: str) -> int:
        return int(self.run_file()["services"][service]["pid"])

    def kill(self, service: str) -> None:
        os.kill(self.pid(service), signal.SIGKILL)

    def kill_everything(self) -> None:
        """kill -9 of the whole tree, the database server included, in no kind order."""
        assert self.process is not None
        run = self.run_file()
        pids = [one["pid"] for one in run["services"].values()] + [run["postgres"]["pid"], self.process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_S_MAX)

    def database_url(self, service: str) -> str:
        return str(self.run_file()["services"][service]["database_url"])

    @property
    def demo(self) -> Demo:
        return demo_file.read(self.home / "demo.json")

    def demo_content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / "demo.json").read_text())
        return content


@contextmanager
def home() -> Iterator[Path]:
    """Of one system, reachable by its database's own user."""
    with tempfile.TemporaryDirectory(prefix="portolan-journeys-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def a_system(environment: Mapping[str, str] | None = None) -> Iterator[System]:
    """Started, and stopped in the end; its processes see the environment beside ours."""
    with home() as folder, pytest.MonkeyPatch.context() as patch:
        running = System(folder, ports.free())
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        running.start()
        patch.undo()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """One for the session; tests that kill leave it running."""
    with a_system() as running:
        yield running


@pytest.fixture(scope="session")
def portolan(system: System) -> Iterator[Portolan]:
    with Portolan(system.base_url) as client:
        yield client


@pytest.fixture(scope="session")
def demo(system: System) -> Demo:
    return system.demo


@pytest.fixture(scope="session")
def broker(demo: Demo) -> Actor:
    return demo.actor(kind="broker", role="declarant")


@pytest.fixture(scope="session")
def customs(demo: Demo) -> Actor:
    return demo.actor(kind="customs", role="customs_officer")
