"""`portolan run`: brings the embedded profile up, seeds the demo once, stays in front until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.console import Console

from portolan_cli import country, demo_file, places
from portolan_cli.client import GivenUp, Portolan
from portolan_cli.embedded import run_file
from portolan_cli.embedded.supervisor import Supervisor
from portolan_cli.seeding.seeder import bring_in


async def run(home: Path, pack: Path, port: int, console: Console, *, seeds: bool) -> None:
    await _run(Supervisor(home, pack, port, say=console.print), console, seeds=seeds)


async def run_on_stack(home: Path, pack: Path, port: int, console: Console, *, brokers: int, seeds: bool) -> None:
    """With all state in the stack's own folder of that home."""
    # Its client of Kafka is not worth its memory to a supervisor without Kafka.
    from portolan_cli.stack.supervisor import StackSupervisor

    await _run(StackSupervisor(places.stack(home), pack, port, brokers, say=console.print), console, seeds=seeds)


async def _run(supervisor: Supervisor, console: Console, *, seeds: bool) -> None:
    home = supervisor.home
    running = run_file.read(home)
    if running is not None:
        raise AlreadyRunning(f"already running in {home}, process {running['supervisor']['pid']}")
    country.claim(home, supervisor.pack)
    console.print(f"[dim]Portolan starts in {home} …[/]")
    async with supervisor.running():
        if not supervisor.stopping.is_set():
            await _welcome(supervisor, console, seeds=seeds)
        await supervisor.wait_stopped()
        console.print("[dim]stopping …[/]")


class AlreadyRunning(Exception):
    """Two supervisors on one folder would fight."""


async def _welcome(supervisor: Supervisor, console: Console, *, seeds: bool) -> None:
    timing = supervisor.timing
    console.print(f"ready in {timing.ready_s:.1f} s (servers {timing.servers_s:.1f} s)")
    if seeds:
        await seed_once(supervisor, console)
    console.print(sign_ins(supervisor.home), highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n[bold]{supervisor.base_url}[/]   docs {supervisor.base_url}/docs   Ctrl-C stops")


async def seed_once(supervisor: Supervisor, console: Console) -> None:
    """In a thread, so that what dies meanwhile is healed; abandoned when somebody wants to leave."""
    home, began = supervisor.home, time.monotonic()

    def apply() -> None:
        with Portolan(supervisor.base_url, is_given_up=supervisor.stopping.is_set) as portolan:
            if bring_in(portolan, home, supervisor.pack):
                console.print(f"demo seeded in {time.monotonic() - began:.1f} s")

    try:
        await asyncio.to_thread(apply)
    except GivenUp:
        console.print("[yellow]stopped before the demo was seeded; the next start goes on with it[/]")


def sign_ins(home: Path) -> str:
    """Plain columns: to be copied from, on a terminal of any width."""
    if not demo_file.path(home).exists():
        return f"no demo in {home} (started with --no-seed)"
    content = demo_file.content(home)
    wide = max(len(user["email"]) for user in content["users"])
    lines = [f"  {user['email']:<{wide}}  {user['password']}  {', '.join(user['roles'])}" for user in content["users"]]
    return "\n".join([f"sign-ins (machine clients are in {demo_file.path(home)}):", *lines])
