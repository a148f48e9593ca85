"""What would happen to a document, by the very rules a submission meets; and the packs those rules come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import clock, telemetry
from kit.database import Database
from packs.model import Pack

from routing import store
from routing.domain import Route


@dataclass(frozen=True)
class Plan:
    routes: tuple[Route, ...]
    due_at: datetime
    channel: str


async def plan(
    database: Database, rulebooks: store.Rulebooks, pack_version: str, document_type: str, facts: dict[str, Any]
) -> Plan:
    """By the version that judged the document, as it would be when it is submitted."""
    now, rulebook = clock.now(), await rulebooks.of(pack_version)
    direction = rulebook.type(document_type).direction
    facts = {"direction": direction, **facts, "type": document_type}
    owner = str(facts.get("owner_organisation_id") or "")
    async with database.connection() as connection:
        history = await store.history(connection, owner, facts, rulebook.pack.risk, now)
    judged = rulebook.table.plan(facts, history)
    procedure = rulebook.procedure(document_type, facts, judged.rules, judged.lane.channel)
    return Plan(procedure.routes(), procedure.due_at(now), judged.lane.channel)


async def seed(database: Database, pack: Pack) -> None:
    async with database.transaction() as tx:
        is_new = await store.load_pack(tx, pack)
    telemetry.log().info("pack_loaded" if is_new else "pack_known", pack=pack.name, version=pack.version)
