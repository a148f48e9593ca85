"""Runs the embedded profile: PostgreSQL and one process per service; heals what dies, leaves in reverse order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portolan_cli.embedded import plan, ports, run_file, secret_file
from portolan_cli.embedded.health import Probe, is_ready
from portolan_cli.embedded.plan import ServicePlan, Surroundings
from portolan_cli.embedded.postgres import EmbeddedPostgres
from portolan_cli.embedded.service import Service

PORT_RELEASE_S_MAX = 5.0
POSTGRES_WATCH_S = 0.2
POLL_S = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


class PortTaken(Exception):
    """Somebody else listens where the gateway should."""


@dataclass(frozen=True)
class Timing:
    """Seconds since the start."""

    database_s: float
    ready_s: float


class Supervisor:
    """`async with running()` is the time in which everything is up; `wait_stopped` ends at a signal."""

    def __init__(self, home: Path, pack: Path, http_port: int, *, say: Say = print, probe: Probe = is_ready) -> None:
        self.home = home
        self.pack = pack
        self.http_port = http_port
        self.postgres = EmbeddedPostgres(home)
        self.services: list[Service] = []
        self.stopping = asyncio.Event()
        self.timing = Timing(0.0, 0.0)
        self._began = time.monotonic()
        self._say = say
        self._probe = probe
        self._state = "starting"
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def base_url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.http_port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        self._listen_to_signals()
        await self._require_port()
        try:
            await self._start()
            yield self
        finally:
            await self._stop()

    async def wait_stopped(self) -> None:
        """Until a signal, or until a keeper gives up, whose reason is raised."""
        stopped = asyncio.create_task(self._stop_asked())
        done, _ = await asyncio.wait([stopped, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done:
            task.result()

    def plans(self) -> Sequence[ServicePlan]:
        """Creates the databases and chooses the ports."""
        grpc_ports, metrics_ports = plan.choose_ports(self.http_port)
        around = Surroundings(
            home=self.home,
            pack=self.pack,
            http_port=self.http_port,
            service_secret=secret_file.kept_secret(self.home / "service.secret"),
            database_urls={name: self.postgres.createdb(name) for name in plan.databases()},
            grpc_ports=grpc_ports,
            metrics_ports=metrics_ports,
        )
        return plan.service_plans(around)

    def _listen_to_signals(self) -> None:
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        """The first signal asks, the second insists."""
        if self.stopping.is_set():
            for service in self.services:
                service.kill()
        self.stopping.set()

    async def _require_port(self) -> None:
        # The gateway of a run that was killed a moment ago may still be leaving.
        limit = time.monotonic() + PORT_RELEASE_S_MAX
        while not ports.is_free(self.http_port):
            if time.monotonic() > limit:
                raise PortTaken(f"port {self.http_port} is in use: choose another with make run PORT=…")
            await asyncio.sleep(POLL_S)

    async def _start(self) -> None:
        # In this thread on purpose: the server dies with the thread that starts it.
        self.postgres.start()
        self.services = [Service(planned, self._probe, self._write_run_file) for planned in self.plans()]
        database_s = time.monotonic() - self._began
        self._keepers = [asyncio.create_task(service.keep(), name=service.plan.name) for service in self.services]
        self._keepers.append(asyncio.create_task(self._keep_postgres(), name="postgres"))
        await self._wait_ready()
        self.timing = Timing(database_s, time.monotonic() - self._began)
        self._state = "stopping" if self.stopping.is_set() else "ready"
        self._write_run_file()

    async def _wait_ready(self) -> None:
        ready = asyncio.create_task(self._all_ready())
        stopped = asyncio.create_task(self._stop_asked())
        done, _ = await asyncio.wait([ready, stopped, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        stopped.cancel()
        for task in done:
            task.result()

    async def _stop_asked(self) -> None:
        await self.stopping.wait()

    async def _all_ready(self) -> None:
        for service in self.services:
            await service.became_ready.wait()

    async def _keep_postgres(self) -> None:
        while not self.stopping.is_set():
            await asyncio.sleep(POSTGRES_WATCH_S)
            if not self.postgres.is_running and not self.stopping.is_set():
                self._say("PostgreSQL ended; starting it again on the same data")
                self.postgres.start()
                self._write_run_file()

    async def _stop(self) -> None:
        self.stopping.set()
        self._state = "stopping"
        for service in reversed(self.services):
            await service.stop()
        for keeper in self._keepers:
            keeper.cancel()
        # What failed was raised where somebody waited for it.
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self.postgres.stop()
        if self.services:
            # Otherwise the folder is another supervisor's.
            run_file.remove(self.home)

    def _write_run_file(self) -> None:
        run_file.write(self.home, self._description())

    def _description(self) -> dict[str, Any]:
        return {
            "state": self._state,
            "base_url": self.base_url,
            "ready_s": round(self.timing.ready_s, 2),
            "supervisor": {"pid": os.getpid()},
            "postgres": {"pid": self.postgres.pid, "port": self.postgres.port, "url": self.postgres.url()},
            "services": {service.plan.name: _describe(service) for service in self.services},
        }


def _describe(service: Service) -> dict[str, Any]:
    return {
        "pid": service.pid,
        "state": service.state,
        "restarts": service.restarts,
        "grpc_port": service.plan.grpc_port,
        "http_port": service.plan.http_port,
        "metrics_port": int(service.plan.environment.get("PORTOLAN_METRICS_PORT", "0")),
        "database_url": service.plan.database_url,
        "log": str(service.plan.log),
    }
