"""The environment as one frozen object. Every name has the prefix PORTOLAN_."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs to know of its surroundings."""

    model_config = SettingsConfigDict(env_prefix="PORTOLAN_", frozen=True, extra="ignore")

    profile: Literal["embedded", "stack", "cluster"] = "embedded"
    # What a deployment calls this release. Consumers that stopped because of one go on with the next.
    release: str = ""
    demo_mode: bool = False
    home: Path | None = None
    pack_path: Path | None = None
    database_url: str = ""
    database_connections_max: int = 8
    bus_url: str = ""
    kafka_bootstrap: str = ""
    redis_url: str = ""
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 0
    metrics_port: int = 0
    # A collector of spans that speaks OTLP over gRPC, as http://collector:4317; nothing is recorded when empty.
    trace_endpoint: str = ""
    # Of the traces that begin here, from 0 to 1.
    trace_share: float = Field(default=1.0, ge=0, le=1)
    service_secret: str = ""
    identity_target: str = ""
    intake_target: str = ""
    routing_target: str = ""
    billing_target: str = ""
    notifications_target: str = ""
    # Tests and demonstrations alone: by how much this process is ahead of its machine, and the file that moves it on.
    clock_ahead_s: float = 0.0
    clock_file: Path | None = None

    @model_validator(mode="after")
    def _real_clocks_are_not_moved(self) -> Self:
        is_moved = self.clock_ahead_s != 0 or self.clock_file is not None
        if is_moved and (self.profile == "cluster" or not self.demo_mode):
            raise ValueError("the clock is moved in demo mode alone, and never in the cluster profile")
        return self
