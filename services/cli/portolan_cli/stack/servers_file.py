"""servers.json of a folder: where its servers are, and under which process ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portolan_cli.embedded import run_file
from portolan_cli.stack.postgres import DATABASE_URL_VARIABLE, Databases, ForeignPostgres

FILE = "servers.json"


@dataclass(frozen=True)
class Addresses:
    """Where the servers are: all that services need to know of them."""

    bootstrap: str
    redis_url: str
    postgres_url: str = field(repr=False)

    def databases(self) -> Databases:
        return ForeignPostgres(self.postgres_url)


def read(folder: Path) -> Mapping[str, Any] | None:
    """What a launcher that is alive wrote; None where there is none."""
    with suppress(FileNotFoundError):
        content: dict[str, Any] = json.loads((folder / FILE).read_text())
        return content if run_file.is_alive(int(content["launcher"]["pid"])) else None
    return None


def variables(addresses: Addresses) -> dict[str, str]:
    """What services are told; and DATABASE_URL, which is the tests' and ours."""
    return {
        "PORTOLAN_KAFKA_BOOTSTRAP": addresses.bootstrap,
        "PORTOLAN_REDIS_URL": addresses.redis_url,
        DATABASE_URL_VARIABLE: addresses.postgres_url,
    }


def for_run_file(described: Mapping[str, Any], supervisor: int) -> dict[str, Any]:
    """As `portolan status` reads it; a launcher that is not the supervisor is one of the processes."""
    launcher = described["launcher"]
    others = {} if launcher["pid"] == supervisor else {"stack": launcher}
    where: dict[str, Any] = {name: described[name] for name in ("bootstrap", "redis_url", "postgres_url")}
    return {**where, **others, **described["servers"]}


def addresses_of(described: Mapping[str, Any]) -> Addresses:
    return Addresses(described["bootstrap"], described["redis_url"], described["postgres_url"])
