"""What the embedded profile consists of: which processes, on which ports, with which environment."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portolan_cli import places
from portolan_cli.embedded import ports

SERVICES = ("identity", "intake", "routing", "billing", "notifications")
GATEWAY = "gateway"
BUS_DATABASE = "portolan_bus"


@dataclass(frozen=True)
class ServicePlan:
    """One process: what answers neither gRPC nor HTTP is known by its metrics port."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    grpc_port: int = 0
    http_port: int = 0
    metrics_port: int = 0
    database_url: str = field(default="", repr=False)


@dataclass(frozen=True)
class Surroundings:
    """What all services share. `servers`: the variables that say where bus and cache are."""

    home: Path
    pack: Path
    http_port: int
    service_secret: str = field(repr=False)
    database_urls: Mapping[str, str] = field(repr=False)
    grpc_ports: Mapping[str, int]
    metrics_ports: Mapping[str, int]
    profile: str
    servers: Mapping[str, str] = field(repr=False)


def database_name(service: str) -> str:
    return f"portolan_{service}"


def databases() -> list[str]:
    return [*map(database_name, SERVICES), BUS_DATABASE]


def choose_ports(http_port: int) -> tuple[dict[str, int], dict[str, int]]:
    """A gRPC port for each service and a metrics port for each process."""
    taken = {http_port}
    for _ in range(2 * len(SERVICES) + 1):
        taken.add(ports.free(frozenset(taken)))
    chosen = sorted(taken - {http_port})
    grpc_ports = dict(zip(SERVICES, chosen, strict=False))
    return grpc_ports, dict(zip((*SERVICES, GATEWAY), chosen[len(SERVICES) :], strict=True))


def service_plans(around: Surroundings) -> list[ServicePlan]:
    """In the order of dependence: stopped from the last to the first."""
    return [process(name, "all", around, name=name) for name in (*SERVICES, GATEWAY)]


def process(service: str, kind: str, around: Surroundings, *, name: str) -> ServicePlan:
    """`name` is that of its log and of its metrics port, which jobs have not. The kinds `all` and `api` answer."""
    answers, is_gateway = kind in ("all", "api"), service == GATEWAY
    database_url = "" if is_gateway else around.database_urls[database_name(service)]
    grpc_port = around.grpc_ports[service] if answers and not is_gateway else 0
    metrics_port = around.metrics_ports.get(name, 0)
    own = {"PORTOLAN_METRICS_PORT": str(metrics_port)}
    if is_gateway:
        own |= {"PORTOLAN_HTTP_PORT": str(around.http_port)}
    else:
        own |= {"PORTOLAN_DATABASE_URL": database_url, "PORTOLAN_GRPC_PORT": str(grpc_port)}
    return ServicePlan(
        name=name,
        command=[sys.executable, "-m", service, kind],
        environment=_environment(around) | own,
        log=around.home / "log" / f"{name}.log",
        grpc_port=grpc_port,
        http_port=around.http_port if is_gateway else 0,
        metrics_port=metrics_port,
        database_url=database_url,
    )


def _environment(around: Surroundings) -> dict[str, str]:
    targets = {
        f"PORTOLAN_{service.upper()}_TARGET": f"{ports.LOOPBACK}:{port}" for service, port in around.grpc_ports.items()
    }
    return {
        **os.environ,
        **targets,
        **around.servers,
        "PORTOLAN_PROFILE": around.profile,
        "PORTOLAN_DEMO_MODE": "true",
        "PORTOLAN_HOME": str(around.home),
        "PORTOLAN_CLOCK_FILE": str(places.clock_file(around.home)),
        "PORTOLAN_PACK_PATH": str(around.pack),
        "PORTOLAN_SERVICE_SECRET": around.service_secret,
        "PYTHONUNBUFFERED": "1",
    }
