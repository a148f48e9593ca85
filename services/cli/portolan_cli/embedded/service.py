"""One child process kept alive: started, waited for, watched, started again with backoff, stopped within limits."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Callable

from portolan_cli.embedded import child
from portolan_cli.embedded.health import Probe
from portolan_cli.embedded.plan import ServicePlan

READY_S_MAX = 120.0
READY_POLL_S = 0.05
WATCH_S = 0.1
BACKOFF_S_FIRST = 0.1
BACKOFF_S_MAX = 5.0
DEATHS_BEFORE_READY_MAX = 6
# Who lives shorter dies again, and is waited for longer.
STEADY_S = 5.0
# Longer than the services' own drain limit, so that SIGKILL is for what hangs.
STOP_S_MAX = 12.0
LOG_TAIL_LINES = 20
LOG_TAIL_BYTES = 16_384


class ServiceFailed(Exception):
    """A service never became ready; the message carries the end of its log."""


class Service:
    """`changed` is called whenever the process id or the state is another one."""

    def __init__(self, plan: ServicePlan, probe: Probe, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.state = "starting"
        self.restarts = 0
        self.became_ready = asyncio.Event()
        self._probe = probe
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def keep(self) -> None:
        """Runs until `stop`; raises ServiceFailed if the process never becomes ready."""
        while not self._is_stopping:
            self._start()
            if await self._wait_ready():
                self._enter("ready")
                self.became_ready.set()
                await self._live()
            if self._is_stopping:
                return
            await self._mourn()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not leave within STOP_S_MAX."""
        self._is_stopping = True
        if self._process is None or not self.is_running:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S_MAX):
                await self._wait_end()
        self.kill()
        self._enter("stopped")

    def kill(self) -> None:
        self._is_stopping = True
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> str:
        if not self.plan.log.exists():
            return "(no log)"
        with self.plan.log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _start(self) -> None:
        self._process = child.spawn(
            self.plan.command, log=self.plan.log, death_signal=signal.SIGKILL, env=self.plan.environment
        )
        self._enter("starting")

    async def _wait_ready(self) -> bool:
        """False when the process ended first, or hangs and was ended."""
        limit = time.monotonic() + READY_S_MAX
        while self.is_running and not self._is_stopping:
            if await self._probe(self.plan):
                return True
            if time.monotonic() > limit:
                self._end_hanging()
            await asyncio.sleep(READY_POLL_S)
        return False

    def _end_hanging(self) -> None:
        if not self.became_ready.is_set():
            raise self._failed(f"not ready after {READY_S_MAX:.0f} s")
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def _live(self) -> None:
        began = time.monotonic()
        await self._wait_end()
        if time.monotonic() - began > STEADY_S:
            self._deaths = 0

    async def _wait_end(self) -> None:
        while self.is_running:  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(WATCH_S)

    async def _mourn(self) -> None:
        self._deaths += 1
        self.restarts += 1
        if self._deaths >= DEATHS_BEFORE_READY_MAX and not self.became_ready.is_set():
            raise self._failed(f"ended {self._deaths} times before it was ready")
        self._enter("backoff")
        await asyncio.sleep(backoff_s(self._deaths))

    def _failed(self, reason: str) -> ServiceFailed:
        return ServiceFailed(f"{self.plan.name} {reason}; the end of {self.plan.log}:\n{self.log_tail()}")

    def _enter(self, state: str) -> None:
        self.state = state
        self._changed()


def backoff_s(deaths: int) -> float:
    return float(min(BACKOFF_S_MAX, BACKOFF_S_FIRST * 2 ** min(deaths - 1, 10)))
