"""`portolan run`: brings the embedded profile up, seeds the demo once, stays in front until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from portolan_cli import demo_file
from portolan_cli.client import GivenUp, Portolan
from portolan_cli.embedded import run_file
from portolan_cli.embedded.supervisor import Supervisor
from portolan_cli.seeding import plan
from portolan_cli.seeding.seeder import keep_receipt_keys, seed


async def run(home: Path, pack: Path, port: int, console: Console, *, seeds: bool) -> None:
    running = run_file.read(home)
    if running is not None:
        raise AlreadyRunning(f"already running in {home}, process {running['supervisor']['pid']}")
    console.print(f"[dim]Portolan starts in {home} …[/]")
    supervisor = Supervisor(home, pack, port, say=console.print)
    async with supervisor.running():
        if not supervisor.stopping.is_set():
            await _welcome(supervisor, console, seeds=seeds)
        await supervisor.wait_stopped()
        console.print("[dim]stopping …[/]")


class AlreadyRunning(Exception):
    """Two supervisors on one folder would fight."""


async def _welcome(supervisor: Supervisor, console: Console, *, seeds: bool) -> None:
    timing = supervisor.timing
    console.print(f"ready in {timing.ready_s:.1f} s (database {timing.database_s:.1f} s)")
    if seeds:
        await _seed_once(supervisor, console)
    console.print(sign_ins(supervisor.home))
    console.print(f"\n[bold]{supervisor.base_url}[/]   docs {supervisor.base_url}/docs   Ctrl-C stops")


async def _seed_once(supervisor: Supervisor, console: Console) -> None:
    """In a thread, so that what dies meanwhile is healed; abandoned when somebody wants to leave."""
    home, began = supervisor.home, time.monotonic()

    def apply() -> None:
        with Portolan(supervisor.base_url, is_given_up=supervisor.stopping.is_set) as portolan:
            if demo_file.path(home).exists():
                demo_file.move(home, supervisor.base_url)
            else:
                seed(portolan, home, plan.load(supervisor.pack))
                console.print(f"demo seeded in {time.monotonic() - began:.1f} s")
            keep_receipt_keys(portolan, home)

    try:
        await asyncio.to_thread(apply)
    except GivenUp:
        console.print("[yellow]stopped before the demo was seeded; the next start goes on with it[/]")


def sign_ins(home: Path) -> Table | str:
    if not demo_file.path(home).exists():
        return f"no demo in {home} (started with --no-seed)"
    content = demo_file.content(home)
    table = Table(title=f"sign-ins ({demo_file.path(home)} has the machine clients too)", title_justify="left")
    for heading in ("e-mail", "password", "organisation", "roles"):
        table.add_column(heading, overflow="fold")
    names = {organisation["id"]: organisation["name"] for organisation in content.get("organisations", [])}
    for user in content["users"]:
        table.add_row(*_sign_in(user, names))
    return table


def _sign_in(user: dict[str, Any], names: dict[str, str]) -> tuple[str, str, str, str]:
    organisation = names.get(user["organisation_id"], user["organisation_id"])
    return user["email"], user["password"], organisation, ", ".join(user["roles"])
