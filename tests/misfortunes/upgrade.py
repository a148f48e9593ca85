"""Tomorrow's release of a service beside today's: a copied tree with one more migration, on the same database."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from portolan_cli.stack.service import ServiceProcess, twin

from tests.misfortunes.faults import LEAVE_S_MAX, Wrong

MIGRATION = "9999_tomorrow.sql"
# The table of each that is written most.
BUSY = {
    "identity": "clients",
    "intake": "documents",
    "routing": "cases",
    "billing": "charges",
    "notifications": "deliveries",
}
EXPAND = "alter table {table} add column tomorrow text not null default 'new';\n"
JOB_S_MAX = 60.0


def tomorrows(service: str, folder: Path) -> Path:
    """The folder that goes before all others on the path."""
    spec = importlib.util.find_spec(service)
    if spec is None or not spec.submodule_search_locations:
        raise Wrong(f"the code of {service} is not found")
    copy = folder / "tomorrow" / service
    shutil.copytree(spec.submodule_search_locations[0], copy / service, dirs_exist_ok=True)
    migrations = copy / service / "migrations"
    if migrations.is_dir():
        (migrations / MIGRATION).write_text(EXPAND.format(table=BUSY[service]))
    return copy


def upgraded(service: str, processes: Sequence[ServiceProcess], folder: Path) -> None:
    """The new release migrates; of what works alone both run side by side; what answers gives its door to the new."""
    path = tomorrows(service, folder)
    _must_be_found_first(service, path)
    if any(one.plan.database_url for one in processes):
        _migrated(service, processes[0], path)
    for process in processes:
        is_door = bool(process.plan.grpc_port or process.plan.http_port)
        new = None if is_door else twin(process)
        if new is not None:
            new.own["PYTHONPATH"] = str(path)
            new.start()
        process.own["PYTHONPATH"] = str(path)
        departure = process.restart()
        if departure.exit_code != 0 or departure.seconds > LEAVE_S_MAX:
            raise Wrong(f"yesterday's {process.name} left with {departure.exit_code} after {departure.seconds:.1f} s")
        if new is not None:
            new.terminate()


def _migrated(service: str, process: ServiceProcess, path: Path) -> None:
    command = [*process.plan.command[:-1], "migrate"]
    environment = {**process.environment(), "PYTHONPATH": str(path), "PORTOLAN_METRICS_PORT": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=JOB_S_MAX, check=False)
    if done.returncode != 0:
        raise Wrong(f"the migration of {service} failed: {done.stderr[-300:]}")


def _must_be_found_first(service: str, path: Path) -> None:
    command = [sys.executable, "-c", f"import {service}; print({service}.__file__ or {service}.__path__[0])"]
    environment = os.environ | {"PYTHONPATH": str(path)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
    if not found.startswith(str(path)):
        raise Wrong(f"{service} would be run from {found}")
