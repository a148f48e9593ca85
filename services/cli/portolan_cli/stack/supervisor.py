"""Runs the stack profile: its own servers or those of `portolan stack up`, and each process kind on its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from portolan_cli.embedded.health import Probe, is_ready
from portolan_cli.embedded.plan import ServicePlan, Surroundings
from portolan_cli.embedded.supervisor import Say, Supervisor
from portolan_cli.stack import leftovers, servers_file, system
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.servers import Servers


class StackSupervisor(Supervisor):
    def __init__(
        self, folder: Path, pack: Path, http_port: int, brokers: int, *, say: Say = print, probe: Probe = is_ready
    ) -> None:
        super().__init__(folder, pack, http_port, say=say, probe=probe)
        self._brokers = brokers
        self._own: Servers | None = None
        self._surroundings: Surroundings | None = None

    def start_servers(self) -> None:
        leftovers.end(leftovers.mark(self.home, system.ROLE))
        if servers_file.read(self.home) is None:
            self._own = Servers(self.home, brokers=self._brokers)
            self._own.start()

    def plans(self) -> Sequence[ServicePlan]:
        addresses = servers_file.addresses_of(self._running())
        self._surroundings = system.surroundings(self.home, self.pack, self.http_port, addresses)
        return list(system.plans(self._surroundings).values())

    async def prepare(self) -> None:
        if self._surroundings is not None:
            await asyncio.to_thread(system.run_jobs, self._surroundings)

    def revive_servers(self) -> list[str]:
        return self._own.revive() if self._own is not None else []

    async def stop_services(self) -> None:
        """Together: what still arrives waits in the outbox, in the log, or at a client that asks again."""
        await asyncio.gather(*(service.stop() for service in self.services))

    def stop_servers(self) -> None:
        if self._own is not None:
            self._own.stop()

    def described_servers(self) -> dict[str, Any]:
        return servers_file.for_run_file(self._running(), os.getpid())

    def _running(self) -> dict[str, Any]:
        described = servers_file.read(self.home)
        if described is None:
            raise StackFailed(f"the servers of {self.home} are gone")
        return dict(described)
