"""`portolan history`: a demonstration with a past. Lived by `python -m history`, on this home's own databases."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from portolan_cli import country, demo_file
from portolan_cli.embedded import plan, ports, run_file, secret_file
from portolan_cli.embedded.postgres import EmbeddedPostgres
from portolan_cli.embedded.supervisor import Supervisor
from portolan_cli.run import AlreadyRunning, seed_once

FILE = "history.json"
# A history that broke off is lived anew: nothing of it waits for the disk before the server stops.
HASTY = {"synchronous_commit": "off"}


class HistoryFailed(Exception):
    """It was refused, or ended otherwise than well; the message carries its last words."""


@dataclass(frozen=True)
class Wanted:
    seed: int
    documents: int
    companies: int
    days: int
    until: datetime | None


def live(home: Path, pack: Path, wanted: Wanted, console: Console) -> dict[str, Any]:
    """The figures of what was lived. Once for a home: its companies have one past."""
    running = run_file.read(home)
    if running is not None:
        raise AlreadyRunning(f"running in {home}, process {running['supervisor']['pid']}: stop it first")
    if (home / FILE).exists():
        raise HistoryFailed(f"{home} has a past already: {FILE} there says which")
    country.claim(home, pack)
    asyncio.run(_seeded(home, pack, console))
    secret_file.write_json(home / FILE, {"state": "begun", "seed": wanted.seed}, secret_file.EVERYONE_READS)
    figures = _lived(home, pack, wanted)
    secret_file.write_json(home / FILE, {"state": "lived", "seed": wanted.seed, **figures}, secret_file.EVERYONE_READS)
    return figures


async def _seeded(home: Path, pack: Path, console: Console) -> None:
    """Databases, pack and the demo's people come as at every first start."""
    if demo_file.path(home).exists():
        return
    supervisor = Supervisor(home, pack, ports.free(frozenset()), say=console.print)
    async with supervisor.running():
        await seed_once(supervisor, console)


def _lived(home: Path, pack: Path, wanted: Wanted) -> dict[str, Any]:
    postgres = EmbeddedPostgres(home, settings=HASTY)
    postgres.start()
    try:
        environment = _environment(home, pack, postgres, wanted)
        done = subprocess.run(
            [sys.executable, "-m", "history"], env=environment, capture_output=True, text=True, check=False
        )
    finally:
        postgres.stop()
    if done.returncode != 0:
        raise HistoryFailed(f"the history broke off: {done.stderr.strip()[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _environment(home: Path, pack: Path, postgres: EmbeddedPostgres, wanted: Wanted) -> Mapping[str, str]:
    urls = {
        f"PORTOLAN_{service.upper()}_DATABASE_URL": postgres.createdb(plan.database_name(service))
        for service in plan.SERVICES
    }
    port = str(ports.free(frozenset()))
    until = {"PORTOLAN_HISTORY_UNTIL": wanted.until.astimezone(UTC).isoformat()} if wanted.until else {}
    return {
        **os.environ,
        **urls,
        **until,
        "PORTOLAN_PROFILE": "embedded",
        "PORTOLAN_DEMO_MODE": "true",
        "PORTOLAN_HOME": str(home),
        "PORTOLAN_PACK_PATH": str(pack),
        "PORTOLAN_BUS_URL": postgres.createdb(plan.BUS_DATABASE),
        "PORTOLAN_SERVICE_SECRET": secret_file.kept_secret(home / "service.secret"),
        "PORTOLAN_GRPC_PORT": port,
        "PORTOLAN_IDENTITY_TARGET": f"{ports.LOOPBACK}:{port}",
        "PORTOLAN_HISTORY_SEED": str(wanted.seed),
        "PORTOLAN_HISTORY_DOCUMENTS": str(wanted.documents),
        "PORTOLAN_HISTORY_COMPANIES": str(wanted.companies),
        "PORTOLAN_HISTORY_DAYS": str(wanted.days),
    }
