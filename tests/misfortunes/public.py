"""The world as everybody may see it: every acknowledged document over public HTTP, of some all that follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from portolan_cli.client import Credentials
from portolan_cli.generation import Generated
from portolan_cli.reference.wire import Reply, Wire

from tests.misfortunes.history import OK, History, Operation, digest
from tests.misfortunes.scene import Scene
from tests.misfortunes.world import Seen, World

READERS = 16
# Timeline, charges and notices are asked of every so many.
WHOLE_EVERY = 50
PAGE = 200


async def look(world: World, history: History, wire: Wire, scene: Scene) -> None:
    """A document that cannot be read is left out of what the databases hold too: to the world it is lost."""
    asked = (one for one in history.submissions.values() if one.outcome == OK)

    async def work() -> None:
        for one in asked:
            await _one(world, wire, scene, one)

    await asyncio.gather(*(work() for _ in range(READERS)))


async def _one(world: World, wire: Wire, scene: Scene, asked: Operation) -> None:
    document_id, submitter = str(asked.answer["id"]), scene.clients[asked.who]
    reply = await wire.get(f"/v1/documents/{document_id}", submitter)
    if reply.status != 200:
        world.documents.pop(document_id, None)
        return
    shown = reply.content
    seen = Seen(state=shown["state"], version=shown["version"], body=digest(shown["body"]))
    if asked.document % WHOLE_EVERY == 0:
        await _whole(seen, wire, scene, scene.document(asked.document), document_id, submitter)
    world.public[document_id] = seen


async def _whole(
    seen: Seen, wire: Wire, scene: Scene, document: Generated, document_id: str, submitter: Credentials
) -> None:
    items = (await wire.get(f"/v1/documents/{document_id}/timeline", submitter)).content["items"]
    seen.items = tuple(item["seq"] for item in items)
    moved = (item for item in items if item["kind"] == "state" and item["from"])
    seen.moves = tuple((item["from"], item["event"], item["to"]) for item in moved)
    seen.tasks = Counter((item["agency"], item["step"]) for item in items if item["kind"] == "task_opened")
    charges = await wire.get(f"/v1/charges?document_id={document_id}&limit={PAGE}", scene.cast.finance.credentials)
    found = charges.content["items"]
    seen.charged = Counter((one["tariff"], one["amount"]["amount_minor"]) for one in found)
    given = [(one["tariff"], credit) for one in found for credit in one["credits"]]
    seen.credited = Counter((tariff, one["policy"], one["amount"]["amount_minor"]) for tariff, one in given)
    seen.told = await _told(wire, scene, document, document_id, seen.tasks)


async def _told(
    wire: Wire, scene: Scene, document: Generated, document_id: str, tasks: Counter[tuple[str, str]]
) -> Counter[tuple[str, str]]:
    """The feeds of all who may have been told."""
    traders = (scene.cast.traders[one.key] for one in (document.owner, document.submitter))
    officers = (scene.cast.officers[agency][0] for agency in dict.fromkeys(agency for agency, _ in tasks))
    told: Counter[tuple[str, str]] = Counter()
    for organisation, reader in {one.organisation_id: one for one in (*traders, *officers)}.items():
        path = f"/v1/notifications?document_id={document_id}&limit={PAGE}"
        page = await wire.get(path, reader.credentials)
        told.update((organisation, rule) for rule in _rules(page))
    return told


def _rules(page: Reply) -> Iterator[str]:
    return (str(one["rule"]) for one in page.content["items"] if one.get("channel", "in_app") == "in_app")
