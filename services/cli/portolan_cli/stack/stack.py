"""The whole system on real servers in the hands of a test: every server and every process can be ended and started."""

from __future__ import annotations

import os
from pathlib import Path

from packs import default_pack_path

from portolan_cli import country
from portolan_cli.client import Portolan
from portolan_cli.embedded import ports, run_file
from portolan_cli.seeding.seeder import bring_in
from portolan_cli.stack import leftovers, system
from portolan_cli.stack.postgres import PostgresServer
from portolan_cli.stack.process import Managed, unnoticed
from portolan_cli.stack.redis import RedisServer
from portolan_cli.stack.servers import Servers
from portolan_cli.stack.servers_file import for_run_file
from portolan_cli.stack.service import ServiceProcess


class Stack:
    """Nobody is started again by itself. `kafka_data`: where the brokers keep their logs, if not in `folder`."""

    def __init__(
        self, folder: Path, *, brokers: int = 1, pack: Path | None = None, kafka_data: Path | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.pack = (pack or default_pack_path()).resolve()
        self.servers = Servers(self.folder, brokers=brokers, kafka_data=kafka_data)
        self.processes: dict[tuple[str, str], ServiceProcess] = {}
        self._http_port = 0

    @property
    def base_url(self) -> str:
        """Of the gateway."""
        return f"http://{ports.LOOPBACK}:{self._http_port}"

    @property
    def bootstrap(self) -> str:
        return self.servers.kafka.bootstrap

    @property
    def postgres(self) -> PostgresServer:
        return self.servers.postgres

    @property
    def redis(self) -> RedisServer:
        return self.servers.redis

    @property
    def everything(self) -> list[Managed]:
        return [*self.servers.all, *self.processes.values()]

    def process(self, service: str, kind: str) -> ServiceProcess:
        """kind: api, consumer, relay, and what else that service has; the gateway has an api alone."""
        return self.processes[service, kind]

    def database_url(self, service: str) -> str:
        return self.process(service, "api").plan.database_url

    def start(self, *, seeds: bool = True) -> None:
        """Servers, jobs, processes, and on the first start the demo of the pack."""
        self.servers.start()
        try:
            self._start_processes()
            if seeds:
                self.seed()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for one in self.everything:
            one.changed = unnoticed
        for process in reversed(self.processes.values()):
            if process.is_running:
                process.ask_to_leave()
        for process in self.processes.values():
            process.stop()
        run_file.remove(self.folder)
        self.servers.stop()

    def seed(self) -> None:
        """Who is who is then in demo.json of the folder."""
        with Portolan(self.base_url) as portolan:
            bring_in(portolan, self.folder, self.pack)

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_processes(self) -> None:
        leftovers.end(leftovers.mark(self.folder, system.ROLE))
        country.claim(self.folder, self.pack)
        around = system.surroundings(self.folder, self.pack, 0, self.servers.addresses)
        self._http_port = around.http_port
        system.run_jobs(around)
        self.processes = {key: ServiceProcess(planned) for key, planned in system.plans(around).items()}
        for process in self.processes.values():
            process.launch()
        for process in self.processes.values():
            process.wait_ready()
        for one in self.everything:
            one.changed = self._keep_book
        self._keep_book()

    def _keep_book(self) -> None:
        self.servers.note()
        run_file.write(
            self.folder,
            {
                "state": "ready",
                "base_url": self.base_url,
                "ready_s": 0,
                "supervisor": {"pid": os.getpid()},
                **for_run_file(self.servers.described(), os.getpid()),
                "services": {process.name: process.described() for process in self.processes.values()},
            },
        )
