"""Runs the embedded profile: PostgreSQL and one process per service; heals what dies, leaves in reverse order.

Another profile stands on other servers: it overrides what starts, revives, describes and stops them.
"""

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
SERVERS_WATCH_S = 0.2
POLL_S = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What the shell says of another profile's servers is not for this one.
NO_OTHER_SERVERS = {"PORTOLAN_KAFKA_BOOTSTRAP": "", "PORTOLAN_REDIS_URL": ""}

Say = Callable[[str], None]


class PortTaken(Exception):
    """Somebody else listens where the gateway should."""


@dataclass(frozen=True)
class Timing:
    """Seconds since the start."""

    servers_s: float
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
            profile="embedded",
            servers={"PORTOLAN_BUS_URL": self.postgres.createdb(plan.BUS_DATABASE), **NO_OTHER_SERVERS},
        )
        return plan.service_plans(around)

    def start_servers(self) -> None:
        self.postgres.start()

    def revive_servers(self) -> list[str]:
        """Starts again, on the same data, what ended by itself; answers the names."""
        if self.postgres.is_running:
            return []
        self.postgres.start()
        return ["PostgreSQL"]

    def stop_servers(self) -> None:
        self.postgres.stop()

    def described_servers(self) -> dict[str, Any]:
        return {"postgres": {"pid": self.postgres.pid, "port": self.postgres.port, "url": self.postgres.url()}}

    async def prepare(self) -> None:
        """What must be done before any process is started: nothing where each does it for itself."""

    async def stop_services(self) -> None:
        for service in reversed(self.services):
            await service.stop()

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
        # In this thread on purpose: the servers die with the thread that starts them.
        self.start_servers()
        self.services = [Service(planned, self._probe, self._write_run_file) for planned in self.plans()]
        await self.prepare()
        servers_s = time.monotonic() - self._began
        self._keepers = [asyncio.create_task(service.keep(), name=service.plan.name) for service in self.services]
        self._keepers.append(asyncio.create_task(self._keep_servers(), name="servers"))
        await self._wait_ready()
        self.timing = Timing(servers_s, time.monotonic() - self._began)
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

    async def _keep_servers(self) -> None:
        while not self.stopping.is_set():
            await asyncio.sleep(SERVERS_WATCH_S)
            revived = [] if self.stopping.is_set() else self.revive_servers()
            for name in revived:
                self._say(f"{name} ended; started again on the same data")
            if revived:
                self._write_run_file()

    async def _stop(self) -> None:
        self.stopping.set()
        self._state = "stopping"
        await self.stop_services()
        for keeper in self._keepers:
            keeper.cancel()
        # What failed was raised where somebody waited for it.
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self.stop_servers()
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
            **self.described_servers(),
            "services": {service.plan.name: _describe(service) for service in self.services},
        }


def _describe(service: Service) -> dict[str, Any]:
    return {
        "pid": service.pid,
        "state": service.state,
        "restarts": service.restarts,
        "grpc_port": service.plan.grpc_port,
        "http_port": service.plan.http_port,
        "metrics_port": service.plan.metrics_port,
        "database_url": service.plan.database_url,
        "log": str(service.plan.log),
    }
