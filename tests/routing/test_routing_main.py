"""The service as it is built: its jobs, twice, and its loops against a real bus."""

import asyncio
from pathlib import Path

import msgspec
import packs
import pytest
from kit import outbox
from kit.bus import postgres as bus
from kit.database import Database
from kit.testing import create_database
from packs import expressions
from portolan.intake.v1 import events_pb2 as intake
from routing.main import build
from routing.settings import Settings

from tests.routing.told import rows

PACK = packs.read(packs.default_pack_path())


@pytest.fixture
async def settings(postgres_url: str) -> Settings:
    urls = [await create_database(postgres_url) for _ in range(2)]
    return Settings(
        database_url=urls[0], bus_url=urls[1], service_secret="s", pack_path=Path(packs.default_pack_path())
    )


def a_submission() -> intake.DocumentSubmitted:
    type = next(iter(PACK.document_types.values()))
    body = {"body": type.schema["examples"][0], "rates": {}, "lists": {}}
    facts = {name: expressions.evaluate(text, body) for name, text in type.facts.items()}
    facts |= {"direction": type.direction, "owner_attributes": [], "national_value_minor": 1}
    return intake.DocumentSubmitted(
        document_id="doc-1", type=type.key, pack_version=PACK.version, facts_json=msgspec.json.encode(facts)
    )


async def test_migrate_and_seed_may_run_again_and_the_loops_turn_an_event_into_tasks(settings: Settings) -> None:
    parts = await build(settings)
    assert set(parts.loops) == {"api", "consumer", "relay"}
    for job in ("migrate", "seed", "migrate", "seed"):
        await parts.jobs[job]()
    assert parts.open is not None
    assert parts.close is not None
    await parts.open()
    database = await Database.open(settings.database_url, size_max=2)
    stop = asyncio.Event()
    loops = [asyncio.create_task(parts.loops[name](stop)) for name in ("consumer", "relay")]
    await _publish(settings, a_submission())
    for _ in range(200):
        if await rows(database, "select 1 from outbox where published_at is not null"):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(asyncio.gather(*loops), 10)
    assert await rows(database, "select document_id, state from cases") == [("doc-1", "OPEN")]
    assert await rows(database, "select count(*) > 1 from outbox where published_at is not null") == [(True,)]
    await database.close()
    await parts.close()


async def _publish(settings: Settings, message: intake.DocumentSubmitted) -> None:
    database = await Database.open(settings.database_url, size_max=1)
    publisher = bus.PostgresPublisher(await Database.open(settings.bus_url, size_max=1))
    async with database.transaction() as tx:
        await outbox.append(tx, topic="portolan.intake.document.v1", key=message.document_id, message=message)
        waiting = await outbox.unpublished(tx, 1)
        await publisher.publish([event for _, event in waiting])
        await tx.execute("delete from outbox")
    await publisher.close()
    await database.close()
