"""A customs system of the tests: it declares, and tells what happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intake.actions.declaring import DeclarationDesk
from kit import ids
from kit.auth import Principal

from tests.intake.builders import IMPORTER, Window, customs, the_pack

MIRROR = next(kind for kind in the_pack().document_types.values() if kind.declaration)
EXAMPLE: Mapping[str, Any] = MIRROR.schema["examples"][0]
COMPANY = str(EXAMPLE["company_number"])
TAKING = ("COUPLED", "IMPUTED")


@dataclass
class Customs:
    window: Window
    desk: DeclarationDesk

    @classmethod
    def of(cls, window: Window) -> Customs:
        window.identity.traders = {COMPANY: [IMPORTER]}
        return cls(window, DeclarationDesk(window.db, window.rulebooks, window.directory, window.register))

    async def tell(self, number: str, event: str, by: Principal | None = None, **more: Any) -> dict[str, Any]:
        return await self.send(number, an_event(event, **more), by)

    async def send(self, number: str, event: Mapping[str, Any], by: Principal | None = None) -> dict[str, Any]:
        answer, replayed = await self.desk.tell(by or customs(), number, json.dumps(event).encode())
        return {**json.loads(answer), "replayed": replayed}

    async def register(self, number: str, *lines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return await self.tell(number, "REGISTERED", declaration=a_declaration(number, *lines), **more)

    async def declare(self, number: str, title: str, quantity: str, events: Sequence[str] = TAKING) -> dict[str, Any]:
        """Registers a line over a title and goes through the events."""
        told = await self.register(number, a_line(title, quantity))
        for event in events:
            told = await self.tell(number, event)
        return told

    async def shown(self, number: str, by: Principal | None = None) -> dict[str, Any]:
        return dict(json.loads(await self.desk.declaration(by or customs(), number)))

    async def events(self, number: str) -> dict[str, str]:
        return {event["event"]: event["state"] for event in (await self.shown(number))["events"]}


def an_event(event: str, **more: Any) -> dict[str, Any]:
    return {"event_id": ids.new_id(), "event": event, "occurred_at": "2026-06-15T09:00:00Z", **more}


def a_declaration(number: str, *lines: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    body = {**copy.deepcopy(dict(EXAMPLE)), "number": number, **changes}
    return body | ({"lines": list(lines)} if lines else {})


def a_line(title: str | None = None, quantity: str = "100", line: int = 1, **changes: Any) -> dict[str, Any]:
    example = copy.deepcopy(EXAMPLE["lines"][0])
    drawn = {"title": title} if title is not None else {}
    return {**example, "line": line, "quantity": {"value": quantity, "unit": "PR"}, **drawn, **changes}
