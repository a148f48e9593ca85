"""The embedded profile as a machine whose parts can be struck; its supervisor mends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from portolan_cli.embedded.ports import free

READY_S_MAX = 90.0
STOP_S_MAX = 40.0
POLL_S = 0.1


class Embedded:
    """One process a service, PostgreSQL also as the bus."""

    profile = "embedded"

    def __init__(self, home: Path) -> None:
        self.home = home
        self.base_url = f"http://127.0.0.1:{free()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port = self.base_url.rpartition(":")[2]
        command = [sys.executable, "-m", "portolan_cli", "run", "--port", port, "--home", str(self.home)]
        with (self.home / "run.out").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        limit = time.monotonic() + READY_S_MAX
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError((self.home / "run.out").read_text()[-3000:])
            time.sleep(POLL_S)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_S_MAX)

    def databases(self) -> Mapping[str, str]:
        return {name: one["database_url"] for name, one in self._run()["services"].items() if one["database_url"]}

    def processes(self) -> Sequence[str]:
        return list(self._run()["services"])

    def pid(self, process: str) -> int:
        run = self._run()
        return int(run["postgres"]["pid"] if process == "postgres" else run["services"][process]["pid"])

    def kill9(self, process: str) -> None:
        """Back when another one has taken its place."""
        before = self.pid(process)
        os.kill(before, signal.SIGKILL)
        self._replaced(process, before)

    def terminate(self, process: str) -> float:
        """Seconds it took to leave."""
        before, began = self.pid(process), time.monotonic()
        os.kill(before, signal.SIGTERM)
        while Path(f"/proc/{before}").exists():
            time.sleep(POLL_S)
        took = time.monotonic() - began
        self._replaced(process, before)
        return took

    def pause(self, process: str) -> None:
        os.kill(self.pid(process), signal.SIGSTOP)

    def resume(self, process: str) -> None:
        os.kill(self.pid(process), signal.SIGCONT)

    def cpu_pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in (*self.processes(), "postgres")}

    def _replaced(self, process: str, before: int) -> None:
        limit = time.monotonic() + READY_S_MAX
        while self.pid(process) == before or (process != "postgres" and self._state(process) != "ready"):
            if time.monotonic() > limit:
                raise TimeoutError(f"{process} did not come back")
            time.sleep(POLL_S)

    def _state(self, process: str) -> str:
        return str(self._run()["services"][process]["state"])

    def _is_ready(self) -> bool:
        try:
            return (self.home / "demo.json").exists() and httpx.get(f"{self.base_url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _run(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return content
