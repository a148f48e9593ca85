"""Where a document ended, held against where it must have."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from portolan_cli.reference.life import Life
from portolan_cli.reference.players import Player

POLL_S_FIRST, POLL_S_MAX = 0.1, 1.5
PAGE = 200


async def ending(player: Player, life: Life) -> list[str]:
    """The differences that patience does not heal."""
    limit, pause_s = time.monotonic() + player.stage.patience_s, POLL_S_FIRST
    while True:
        found = [*await _timeline(player, life), *await _document(player, life)]
        if not found or time.monotonic() > limit:
            return [*found, *await _ledger(player, life)]
        await asyncio.sleep(pause_s)
        pause_s = min(POLL_S_MAX, 1.5 * pause_s)


async def _timeline(player: Player, life: Life) -> list[str]:
    reply = await player.stage.wire.get(f"/v1/documents/{player.id}/timeline", player.submitter)
    items = reply.content["items"]
    moved = [move for move in _moves(items)]
    opened = [(item["agency"], item["step"]) for item in items if item["kind"] == "task_opened"]
    return [*_differs("moves", life.moves, moved), *_differs("tasks", life.tasks, opened), *_gaps(items)]


def _moves(items: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        if item["kind"] == "state" and item["from"]:
            yield item["from"], item["event"], item["to"]


def _gaps(items: list[dict[str, Any]]) -> list[str]:
    states = [item for item in items if item["kind"] == "state"]
    broken = [f"{b['from']} after {a['to']}" for a, b in pairwise(states) if a["to"] != b["from"]]
    return [*broken, *_differs("items", list(range(1, len(items) + 1)), [item["seq"] for item in items])]


async def _document(player: Player, life: Life) -> list[str]:
    shown = (await player.stage.wire.get(f"/v1/documents/{player.id}", player.submitter)).content
    return [
        *_differs("state", life.state, shown["state"]),
        *_differs("version", life.version, shown["version"]),
        *_differs("body", dict(life.body), shown["body"]),
    ]


async def _ledger(player: Player, life: Life) -> list[str]:
    if not life.ledger.lines:
        return []
    shown = (await player.stage.wire.get(f"/v1/documents/{player.id}/ledger", player.submitter)).content
    found: list[str] = []
    found += await _settlement(player, life)
    for line, written in zip(life.ledger.lines, shown["lines"], strict=True):
        figures = {name: Decimal(written[name]["value"]) for name in line.figures()}
        found += _differs(f"ledger line {line.number}", line.figures(), figures)
    return found


async def _settlement(player: Player, life: Life) -> list[str]:
    if not life.kind.get("settlement"):
        return []
    shown = (await player.stage.wire.get(f"/v1/documents/{player.id}/settlement", player.submitter)).content
    figures = {name: shown[name]["amount_minor"] for name in ("imputed", "paid")}
    wanted = {"imputed": life.ledger.imputed_minor, "paid": life.ledger.paid_minor}
    return _differs("settlement", wanted, figures)


async def charges(player: Player) -> tuple[list[tuple[str, int]], list[tuple[str, str, int]]]:
    """What was charged, and what of that was given back."""
    by = player.stage.cast.finance.credentials
    page = (await player.stage.wire.get(f"/v1/charges?document_id={player.id}&limit={PAGE}", by)).content
    charged = [(one["tariff"], one["amount"]["amount_minor"]) for one in page["items"]]
    given = [(one["tariff"], credit) for one in page["items"] for credit in one["credits"]]
    return charged, [(tariff, credit["policy"], credit["amount"]["amount_minor"]) for tariff, credit in given]


async def notices(player: Player, life: Life) -> Counter[tuple[str, str]]:
    """What the organisations concerned have in their feeds, by rule."""
    cast = player.stage.cast
    traders = (cast.traders[one.key] for one in (player.document.owner, player.document.submitter))
    officers = (cast.officers[agency][0] for agency in dict.fromkeys(agency for agency, _ in life.tasks))
    readers = {actor.organisation_id: actor for actor in (*traders, *officers)}
    told: Counter[tuple[str, str]] = Counter()
    for organisation, reader in readers.items():
        path = f"/v1/notifications?document_id={player.id}&limit={PAGE}"
        page = (await player.stage.wire.get(path, reader.credentials)).content
        told.update((organisation, one["rule"]) for one in page["items"] if one.get("channel", "in_app") == "in_app")
    return told


def counted(name: str, wanted: Mapping[Any, int], seen: Mapping[Any, int]) -> list[str]:
    keys = sorted({*wanted, *seen})
    return [
        f"{name} {key}: {seen.get(key, 0)} instead of {wanted.get(key, 0)}"
        for key in keys
        if seen.get(key, 0) != wanted.get(key, 0)
    ]


def _differs(name: str, wanted: Any, seen: Any) -> list[str]:
    return [] if wanted == seen else [f"{name}: {seen!r} instead of {wanted!r}"]
