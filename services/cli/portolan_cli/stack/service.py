"""One process of one service in the hands of a test."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from portolan_cli.embedded import ports
from portolan_cli.embedded.plan import ServicePlan
from portolan_cli.stack.process import Process

PROBE_S = 1.0


class ServiceProcess(Process):
    """`own`: variables that only this process is told, from its next start on."""

    def __init__(self, plan: ServicePlan) -> None:
        super().__init__(plan.name, plan.log)
        self.plan = plan
        self.own: dict[str, str] = {}

    def prepare(self) -> None:
        """Nothing: the jobs ran before."""

    def command(self) -> Sequence[str]:
        return self.plan.command

    def environment(self) -> Mapping[str, str]:
        return {**self.plan.environment, **self.own}

    def is_ready(self) -> bool:
        if self.plan.http_port:
            return accepts(self.plan.http_port) and answers_http(f"{ports.LOOPBACK}:{self.plan.http_port}")
        if self.plan.grpc_port:
            return accepts(self.plan.grpc_port) and serves_grpc(f"{ports.LOOPBACK}:{self.plan.grpc_port}")
        return accepts(self.plan.metrics_port)

    def described(self) -> dict[str, object]:
        return {
            "pid": self.pid if self.is_running else None,
            "state": "ready" if self.is_running else "stopped",
            "restarts": 0,
            "grpc_port": self.plan.grpc_port,
            "http_port": self.plan.http_port,
            "metrics_port": self.plan.metrics_port,
            "database_url": self.plan.database_url,
            "log": str(self.log),
        }


def twin(process: ServiceProcess) -> ServiceProcess:
    """A second instance beside the first, on ports of its own: as when yesterday's code still runs."""
    plan, chosen = process.plan, set[int]()

    def another(port: int) -> int:
        chosen.add(free := ports.free(frozenset(chosen)) if port else 0)
        return free

    grpc_port, http_port, metrics_port = (another(one) for one in (plan.grpc_port, plan.http_port, plan.metrics_port))
    own = {"PORTOLAN_GRPC_PORT": str(grpc_port), "PORTOLAN_METRICS_PORT": str(metrics_port)}
    own |= {"PORTOLAN_HTTP_PORT": str(http_port)} if http_port else {}
    return ServiceProcess(
        replace(
            plan,
            name=f"{plan.name}-twin",
            log=plan.log.with_name(f"{plan.name}-twin.log"),
            environment={**plan.environment, **own},
            grpc_port=grpc_port,
            http_port=http_port,
            metrics_port=metrics_port,
        )
    )


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((ports.LOOPBACK, port), PROBE_S):
        return True
    return False


def answers_http(address: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://{address}/readyz", timeout=PROBE_S).status_code == httpx.codes.OK
    return False


def serves_grpc(address: str) -> bool:
    with suppress(grpc.RpcError), grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        asked = stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_S)
        return bool(asked.status == health_pb2.HealthCheckResponse.SERVING)
    return False
