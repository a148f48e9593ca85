"""Which processes the stack profile consists of: each kind of each service on its own, and the jobs before them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kit.bus.kafka import admin as topics
from kit.bus.topics import declared

from portolan_cli.embedded import child, plan, secret_file
from portolan_cli.embedded.plan import GATEWAY, SERVICES, ServicePlan, Surroundings
from portolan_cli.stack import leftovers
from portolan_cli.stack.failures import StackFailed, log_tail
from portolan_cli.stack.kept_ports import KeptPorts
from portolan_cli.stack.servers_file import Addresses

ROLE = "services"
KINDS = ("api", "consumer", "relay")
MORE_KINDS = {"notifications": ("sender", "poster")}
PROCESSES = (
    *((service, kind) for service in SERVICES for kind in (*KINDS, *MORE_KINDS.get(service, ()))),
    (GATEWAY, "api"),
)
JOBS = ("migrate", "seed")
JOB_S_MAX = 120.0


def name_of(service: str, kind: str) -> str:
    return f"{service}-{kind}"


def surroundings(folder: Path, pack: Path, http_port: int, addresses: Addresses) -> Surroundings:
    """Makes the databases."""
    kept = KeptPorts(folder, ROLE)
    make = addresses.databases().createdb
    return Surroundings(
        home=folder,
        pack=pack,
        http_port=http_port or kept.port("http"),
        service_secret=secret_file.kept_secret(folder / "service.secret"),
        database_urls={name: make(name) for name in map(plan.database_name, SERVICES)},
        grpc_ports={service: kept.port(f"{service}-grpc") for service in SERVICES},
        metrics_ports={name: kept.port(f"{name}-metrics") for name in (name_of(*one) for one in PROCESSES)},
        profile="stack",
        servers={
            "PORTOLAN_KAFKA_BOOTSTRAP": addresses.bootstrap,
            "PORTOLAN_REDIS_URL": addresses.redis_url,
            "PORTOLAN_BUS_URL": "",
            leftovers.MARK: leftovers.mark(folder, ROLE),
        },
    )


def plans(around: Surroundings) -> Mapping[tuple[str, str], ServicePlan]:
    """In the order of dependence."""
    return {
        (service, kind): plan.process(service, kind, around, name=name_of(service, kind)) for service, kind in PROCESSES
    }


def run_jobs(around: Surroundings) -> None:
    """The topics, and each job of all services side by side; every one of them may be run again."""
    topics.apply(around.servers["PORTOLAN_KAFKA_BOOTSTRAP"], declared())
    for job in JOBS:
        _run_together([plan.process(service, job, around, name=name_of(service, job)) for service in SERVICES])


def _run_together(planned: Sequence[ServicePlan]) -> None:
    limit = time.monotonic() + JOB_S_MAX
    begun = [(one, child.spawn(one.command, log=one.log, death_signal=9, env=one.environment)) for one in planned]
    try:
        for one, process in begun:
            if process.wait(max(0.0, limit - time.monotonic())) != 0:
                raise StackFailed(f"{one.name} failed; the end of {one.log}:\n{log_tail(one.log)}")
    except subprocess.TimeoutExpired as error:
        raise StackFailed(f"the jobs {', '.join(one.name for one in planned)} took over {JOB_S_MAX:.0f} s") from error
    finally:
        for _, process in begun:
            process.kill()
            process.wait()
