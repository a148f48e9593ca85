"""PORTOLAN_HOME/demo.json: who plays whom in the demo, and the secrets they prove it with."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from portolan_cli import places
from portolan_cli.client import Credentials
from portolan_cli.embedded import secret_file


class NoSuchActor(Exception):
    """Nobody in demo.json fits."""


@dataclass(frozen=True)
class Actor:
    """A machine client and the organisation it acts for."""

    credentials: Credentials
    organisation_id: str
    organisation_name: str
    kind: str
    agency_code: str
    language: str


@dataclass(frozen=True)
class Demo:
    base_url: str
    clients: tuple[dict[str, Any], ...]
    organisations: tuple[dict[str, Any], ...]
    # Where letters lie, and the file that moves its clock on, when the demo runs on this machine.
    mail: Path | None = None
    clock: Path | None = None

    def actor(self, *, nth: int = 1, role: str = "", **wanted: str) -> Actor:
        """The nth client that fits: by `kind`, `agency_code`, `organisation_key`, `key`, and a role it holds."""
        fitting = [client for client in self.clients if _fits(client, role, wanted)]
        if len(fitting) < nth:
            described = {**wanted, **({"role": role} if role else {})}
            raise NoSuchActor(f"demo.json has {len(fitting)} clients with {described}, number {nth} is asked for")
        return _actor(fitting[nth - 1])

    def organisation_id(self, key: str) -> str:
        """By its key in the seed, else the first of that kind."""
        for field in ("key", "kind"):
            for organisation in self.organisations:
                if organisation.get(field) == key:
                    return str(organisation["id"])
        raise NoSuchActor(f"demo.json has no organisation {key}")


def path(home: Path) -> Path:
    return home / "demo.json"


def read(file: Path) -> Demo:
    home = file.parent
    known = from_content(json.loads(file.read_text(encoding="utf-8")))
    return replace(known, mail=home / "mail", clock=places.clock_file(home))


def from_content(known: dict[str, Any]) -> Demo:
    return Demo(
        base_url=known["base_url"],
        clients=tuple(known["clients"]),
        organisations=tuple(known.get("organisations") or _organisations_of(known["clients"])),
    )


def write(home: Path, known: dict[str, Any]) -> None:
    secret_file.write_json(path(home), known)


def content(home: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(path(home).read_text(encoding="utf-8"))
    return known


def move(home: Path, base_url: str) -> None:
    """The same people at another address."""
    known = content(home)
    if known["base_url"] != base_url:
        write(home, {**known, "base_url": base_url})


def _fits(client: dict[str, Any], role: str, wanted: dict[str, str]) -> bool:
    return all(client.get(name) == value for name, value in wanted.items()) and (not role or role in client["roles"])


def _actor(client: dict[str, Any]) -> Actor:
    return Actor(
        credentials=Credentials(client["client_id"], client["client_secret"]),
        organisation_id=client["organisation_id"],
        organisation_name=client["organisation_name"],
        kind=client["kind"],
        agency_code=client.get("agency_code", ""),
        language=client.get("language", ""),
    )


def _organisations_of(clients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A file written by somebody else may lack them."""
    return [
        {"id": client["organisation_id"], "name": client["organisation_name"], "kind": client["kind"], "key": ""}
        for client in clients
    ]
