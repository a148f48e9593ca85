"""The system on Apache Kafka, Redis and PostgreSQL, each process on its own, as a machine whose parts can be struck."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from portolan_cli.stack.service import ServiceProcess
from portolan_cli.stack.stack import Stack

DISK_MB = 1_500


class Disk:
    """A bounded disk for the brokers, where this machine lets us mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"
        self.is_bounded = False

    def mount(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.folder)]
        with suppress(OSError):
            self.is_bounded = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        if self.is_bounded:
            command = ["umount", "--lazy", str(self.folder)]
            subprocess.run(command, capture_output=True, check=False)

    def fill(self) -> None:
        with suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            piece = bytes(1 << 20)
            while file.write(piece):
                pass

    def empty(self) -> None:
        self.ballast.unlink(missing_ok=True)


class RealStack:
    profile = "stack"

    def __init__(self, home: Path, brokers: int = 1) -> None:
        self.home = home
        self.brokers = brokers
        self.disk = Disk(home / "disk")
        self.disk.mount()
        data = self.disk.folder if self.disk.is_bounded else None
        self.stack = Stack(home, brokers=brokers, kafka_data=data)

    @property
    def base_url(self) -> str:
        return self.stack.base_url

    def start(self) -> None:
        self.stack.start()

    def stop(self) -> None:
        try:
            self.stack.stop()
        finally:
            self.disk.unmount()

    def databases(self) -> Mapping[str, str]:
        urls = {service: one.plan.database_url for (service, _), one in self.stack.processes.items()}
        return {service: url for service, url in urls.items() if url}

    def processes(self) -> Sequence[tuple[str, ServiceProcess]]:
        return [(f"{service} {kind}", one) for (service, kind), one in self.stack.processes.items()]

    def of_service(self, service: str) -> list[ServiceProcess]:
        return [one for (name, _), one in self.stack.processes.items() if name == service]

    def services(self) -> list[str]:
        return list(dict.fromkeys(service for service, _ in self.stack.processes))
