"""The life of a process: which kind it is, what it runs, and how it leaves quietly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop

from kit import clock, release, telemetry
from kit.settings import ServiceSettings

Job = Callable[[], Awaitable[None]]
Command = Callable[[Sequence[str]], Awaitable[int]]
Loop = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

S = TypeVar("S", bound=ServiceSettings)

DRAIN_LIMIT_S = 10.0
FIRST_JOBS = ("migrate", "seed")


@dataclass(frozen=True)
class Parts:
    """What a service can do: jobs end by themselves, loops run until told to stop.

    `open` runs before loops (after the jobs of `all`); `close` frees what everything shares, at the very end.
    Commands are a person's: they take arguments and answer an exit status.
    """

    jobs: Mapping[str, Job] = field(default_factory=dict)
    loops: Mapping[str, Loop] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    open: Job | None = None
    close: Job | None = None


def main(service: str, settings: S, build: Callable[[S], Awaitable[Parts]]) -> None:
    """`python -m <service> KIND`, KIND being a job, a loop, or `all`: migrate, seed, then every loop in one process."""
    arguments = sys.argv[1:]
    is_beside_another = len(arguments) > 1  # a command, where a loop may have the port
    telemetry.start(service, 0 if is_beside_another else settings.metrics_port)
    release.is_called(settings.release)
    clock.set_ahead(settings.clock_ahead_s, settings.clock_file)
    with _recording(service, settings):
        status = uvloop.run(_run(service, arguments, settings, build))
    sys.exit(status)


@contextlib.contextmanager
def _recording(service: str, settings: ServiceSettings) -> Iterator[None]:
    if not settings.trace_endpoint:
        yield
        return
    from kit import spans  # the exporter takes 0.1 s to import: only who records waits for it

    recorder = spans.record(service, settings.trace_endpoint, settings.trace_share)
    try:
        yield
    finally:
        recorder.close()


async def _run(service: str, arguments: Sequence[str], settings: S, build: Callable[[S], Awaitable[Parts]]) -> int:
    parts, kind = await build(settings), arguments[0] if arguments else ""
    try:
        if kind in parts.commands:
            return await parts.commands[kind](arguments[1:])
        if kind not in {"all", *parts.jobs, *parts.loops} or len(arguments) > 1:
            sys.exit(f"usage: python -m {service} {' | '.join(['all', *parts.jobs, *parts.loops, *parts.commands])}")
        await _run_kind(parts, kind)
        return 0
    finally:
        if parts.close is not None:
            await parts.close()


async def _run_kind(parts: Parts, kind: str) -> None:
    if kind in parts.jobs:
        await parts.jobs[kind]()
        return
    for name in FIRST_JOBS if kind == "all" else ():
        if name in parts.jobs:
            await parts.jobs[name]()
    loops = parts.loops if kind == "all" else {kind: parts.loops[kind]}
    if parts.open is not None:
        await parts.open()
    gc.freeze()
    await run_until_stopped(loops)


async def run_until_stopped(loops: Mapping[str, Loop]) -> None:
    """Runs the loops until SIGTERM or SIGINT, or until one of them fails, which stops the others and is raised."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    tasks = [asyncio.create_task(loop(stop), name=name) for name, loop in loops.items()]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    _, late = await asyncio.wait(tasks, timeout=DRAIN_LIMIT_S)
    for task in late:
        telemetry.log().warning("drain_limit_passed", loop=task.get_name(), limit_s=DRAIN_LIMIT_S)
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
