"""What would happen to a document, by the very rules a submission meets; and the packs those rules come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import clock, telemetry
from kit.database import Database
from packs.history import UNKNOWN, History
from packs.model import Agency, Pack, Rule

from routing import store
from routing.domain import Route, Rulebook


@dataclass(frozen=True)
class Plan:
    routes: tuple[Route, ...]
    due_at: datetime
    channel: str
    refusing: tuple[Rule, ...]
    is_asked_for: bool
    agencies: Mapping[str, Agency]


async def plan(
    database: Database, rulebooks: store.Rulebooks, pack_version: str, document_type: str, facts: dict[str, Any]
) -> Plan:
    """By the version that judged the document, as it would be when it is submitted."""
    now, rulebook = clock.now(), await rulebooks.of(pack_version)
    direction = rulebook.type(document_type).direction
    facts = {"direction": direction, **facts, "type": document_type}
    history = await _history(database, facts, rulebook, now)
    judged = rulebook.table.plan(facts, history)
    procedure = rulebook.procedure(document_type, facts, judged.rules, judged.lane.channel)
    return Plan(
        routes=procedure.routes(),
        due_at=procedure.due_at(now),
        channel=judged.lane.channel,
        refusing=judged.admission,
        is_asked_for=any(_asks_for(rule, document_type) for rule in judged.rules),
        agencies=rulebook.pack.agencies,
    )


async def _history(database: Database, facts: dict[str, Any], rulebook: Rulebook, now: datetime) -> History:
    """Of a question that nobody signed nothing is known, nor held against it."""
    owner = str(facts.get("owner_organisation_id") or "")
    if not owner:
        return UNKNOWN
    async with database.connection() as connection:
        return await store.history(connection, owner, facts, rulebook.pack.risk, now)


def _asks_for(rule: Rule, document_type: str) -> bool:
    """By name, or as the document that the rule itself is about."""
    if rule.requires_type is not None:
        return rule.requires_type == document_type
    return document_type in (rule.types or ()) and rule.document is not None and not rule.not_required


async def seed(database: Database, pack: Pack) -> None:
    async with database.transaction() as tx:
        is_new = await store.load_pack(tx, pack)
    telemetry.log().info("pack_loaded" if is_new else "pack_known", pack=pack.name, version=pack.version)
