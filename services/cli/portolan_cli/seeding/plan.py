"""Who is in the demo, as the pack's demo/seed.yaml says it; users and clients may stand inside their organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portolan_cli.pack_file import read

Entry = Mapping[str, Any]


class SeedError(Exception):
    """seed.yaml does not hold together."""


@dataclass(frozen=True)
class SeedPlan:
    """Users and clients name their `organisation` by key, a client its `responsible` user by e-mail or key."""

    organisations: Sequence[Entry]
    users: Sequence[Entry]
    clients: Sequence[Entry]
    mandates: Sequence[Entry]


def load(pack: Path) -> SeedPlan:
    return from_content(read(pack / "demo" / "seed.yaml"))


def from_content(content: Entry) -> SeedPlan:
    organisations = content["organisations"]
    plan = SeedPlan(
        organisations=[_without(organisation, "users", "clients") for organisation in organisations],
        users=_members(content, "users"),
        clients=_members(content, "clients"),
        mandates=content.get("mandates", []),
    )
    _check(plan)
    return plan


def _members(content: Entry, name: str) -> list[Entry]:
    inside = [
        {**member, "organisation": organisation["key"]}
        for organisation in content["organisations"]
        for member in organisation.get(name, [])
    ]
    return [*inside, *content.get(name, [])]


def _check(plan: SeedPlan) -> None:
    keys = {organisation["key"] for organisation in plan.organisations}
    for member in (*plan.users, *plan.clients):
        if member["organisation"] not in keys:
            raise SeedError(f"{member} belongs to no organisation of the seed")


def _without(entry: Entry, *names: str) -> Entry:
    return {name: value for name, value in entry.items() if name not in names}
