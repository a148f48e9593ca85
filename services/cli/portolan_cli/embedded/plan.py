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
    """One process: `grpc_port` is 0 for what answers HTTP on `http_port` instead."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    grpc_port: int = 0
    http_port: int = 0
    database_url: str = field(default="", repr=False)


@dataclass(frozen=True)
class Surroundings:
    """What all services share."""

    home: Path
    pack: Path
    http_port: int
    service_secret: str = field(repr=False)
    database_urls: Mapping[str, str] = field(repr=False)
    grpc_ports: Mapping[str, int]
    metrics_ports: Mapping[str, int]


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
    return [_service(name, around) for name in SERVICES] + [_gateway(around)]


def _service(name: str, around: Surroundings) -> ServicePlan:
    database_url = around.database_urls[database_name(name)]
    own = {"PORTOLAN_DATABASE_URL": database_url, "PORTOLAN_GRPC_PORT": str(around.grpc_ports[name])}
    return ServicePlan(
        name=name,
        command=_command(name),
        environment=_environment(name, around) | own,
        log=_log(name, around),
        grpc_port=around.grpc_ports[name],
        database_url=database_url,
    )


def _gateway(around: Surroundings) -> ServicePlan:
    return ServicePlan(
        name=GATEWAY,
        command=_command(GATEWAY),
        environment=_environment(GATEWAY, around) | {"PORTOLAN_HTTP_PORT": str(around.http_port)},
        log=_log(GATEWAY, around),
        http_port=around.http_port,
    )


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", name, "all"]


def _log(name: str, around: Surroundings) -> Path:
    return around.home / "log" / f"{name}.log"


def _environment(name: str, around: Surroundings) -> dict[str, str]:
    targets = {
        f"PORTOLAN_{service.upper()}_TARGET": f"{ports.LOOPBACK}:{port}" for service, port in around.grpc_ports.items()
    }
    return {
        **os.environ,
        **targets,
        "PORTOLAN_PROFILE": "embedded",
        "PORTOLAN_DEMO_MODE": "true",
        "PORTOLAN_HOME": str(around.home),
        "PORTOLAN_CLOCK_FILE": str(places.clock_file(around.home)),
        "PORTOLAN_PACK_PATH": str(around.pack),
        "PORTOLAN_BUS_URL": around.database_urls[BUS_DATABASE],
        "PORTOLAN_SERVICE_SECRET": around.service_secret,
        "PORTOLAN_METRICS_PORT": str(around.metrics_ports[name]),
        "PYTHONUNBUFFERED": "1",
    }
