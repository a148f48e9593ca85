"""`portolan stack`: the servers alone, in front until a signal, started again when they die."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from rich.console import Console

from portolan_cli.embedded import run_file
from portolan_cli.stack import servers_file
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.servers import Servers

WATCH_S = 0.2
DOWN_S_MAX = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(folder: Path, brokers: int, console: Console) -> None:
    stopping = threading.Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stopping.set())
    with Servers(folder, brokers=brokers) as started:
        console.print(f"servers ready in {started.ready_s:.1f} s", highlight=False)
        for name, value in servers_file.variables(started.addresses).items():
            console.print(f"  {name}={value}", highlight=False, markup=False, soft_wrap=True)
        console.print("PROFILE=stack make run   starts the system on them; Ctrl-C or make stack-down stops them")
        while not stopping.wait(WATCH_S):
            for name in started.revive():
                console.print(f"{name} ended; started again on the same data")


def down(folder: Path) -> None:
    """Returns when whoever runs the servers of that folder has left."""
    described = servers_file.read(folder)
    if described is None:
        raise StackFailed(f"no servers run in {folder}")
    pid = int(described["launcher"]["pid"])
    os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + DOWN_S_MAX
    while run_file.is_alive(pid):
        if time.monotonic() > limit:
            raise StackFailed(f"process {pid} does not leave")
        time.sleep(WATCH_S)
