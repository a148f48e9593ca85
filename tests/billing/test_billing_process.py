"""Billing as its processes run it: migrated, seeded, heard from the bus, asked over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from billing import actions
from billing.main import add, build
from billing.settings import Settings
from kit import clock, operating, outbox, service
from kit.auth import TokenVerifier
from kit.bus.postgres import PostgresPublisher, PostgresSubscription
from kit.database import Database
from kit.errors import Forbidden, Unauthenticated
from kit.grpc import Server, call, channel
from kit.migrate import migrate
from kit.process import Parts
from kit.relay import Relay
from kit.testing import TokenMint, a_principal, create_database
from packs import reader
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc, events_pb2

from tests.billing.builders import an_event, count, rows, submitted

CHARGES = "portolan.billing.charge.v1"


@pytest.fixture
async def settings(postgres_url: str) -> Settings:
    database_url, bus_url = await create_database(postgres_url), await create_database(postgres_url)
    return Settings(database_url=database_url, bus_url=bus_url)


@pytest.fixture
async def parts(settings: Settings) -> AsyncIterator[Parts]:
    parts = await build(settings)
    for job in ("migrate", "seed", "seed"):
        await parts.jobs[job]()
    yield parts
    assert parts.close is not None
    await parts.close()


async def test_a_submission_on_the_bus_comes_back_as_a_charge(parts: Parts, settings: Settings) -> None:
    item = reader.read(reader.default_pack_path()).tariff[0].items[0]
    publisher = PostgresPublisher(await Database.open(settings.bus_url))
    said = an_event(submitted(document_type=item.document_type or "", state=item.billed_at or ""))
    said = type(said)(said.id, "portolan.intake.document.v1", "doc-1", said.type, said.time, said.payload, "")
    await publisher.publish([said])
    stop = asyncio.Event()
    running = [asyncio.create_task(parts.loops[loop](stop)) for loop in ("consumer", "relay")]
    heard = PostgresSubscription(settings.bus_url, "tests", [CHARGES])
    async with asyncio.timeout(20):
        charges = await heard.poll(10, 0.2)
        while not charges:
            charges = await heard.poll(10, 0.2)
    stop.set()
    await asyncio.gather(*running, heard.close(), publisher.close())
    recorded = events_pb2.ChargeRecorded.FromString(charges[0].payload)
    assert (recorded.tariff, recorded.net.amount_minor, recorded.payer_sequence) == (item.code, item.net_minor, 1)


async def test_what_intake_says_again_is_charged_no_second_time(
    parts: Parts, settings: Settings, postgres_url: str
) -> None:
    """Intake's outbox, its relay, a bus that is lost, and a replay beside: one charge, one journal, one fact of it."""
    intake_url = await create_database(postgres_url)
    await migrate(intake_url, "nobody", Path("nowhere"))
    intake, billing = await Database.open(intake_url), await Database.open(settings.database_url)
    item = reader.read(reader.default_pack_path()).tariff[0].items[0]
    said = submitted(document_type=item.document_type or "", state=item.billed_at or "")
    async with intake.transaction() as tx:
        await outbox.append(tx, topic="portolan.intake.document.v1", key="doc-1", message=said)
    relay = Relay("intake", intake, await service.publisher(settings))
    stop = asyncio.Event()
    running = [asyncio.create_task(parts.loops["consumer"](stop)), asyncio.create_task(relay.run(stop))]
    since = clock.now() - timedelta(hours=1)
    replay = operating.commands("intake", intake_url, lambda: service.publisher(settings))["replay"]
    for _ in range(2):
        assert await replay(["--since", since.isoformat(), "--reason", "to see that nothing changes"]) == 0
    async with asyncio.timeout(20):
        heard = 0
        while heard < 3:
            heard = await _heard(settings)
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*running)
    for table in ("charges", "journals", "outbox"):
        assert await count(billing, table) == 1, table
    await asyncio.gather(intake.close(), billing.close())


async def _heard(settings: Settings) -> int:
    bus = await Database.open(settings.bus_url, size_max=1)
    found = await rows(
        bus, "select position + 1 from positions where consumer_group = 'billing' and topic like '%document%'"
    )
    await bus.close()
    return found[0][0] if found else 0


@pytest.mark.service("billing")
async def test_each_method_admits_whom_it_says(service_database: Database, mint: TokenMint) -> None:
    server = Server("billing", TokenVerifier(mint), "127.0.0.1", 0)
    add(server, service_database, actions.PriceDesk())
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    wire = channel(f"127.0.0.1:{server.port}")
    stub = billing_pb2_grpc.BillingServiceStub(wire)
    with pytest.raises(Unauthenticated):
        await call(stub.ListCharges, billing_pb2.ListChargesRequest())
    with pytest.raises(Forbidden):
        await call(stub.CheckLedger, billing_pb2.CheckLedgerRequest(), token=mint.token(a_principal("declarant")))
    for role in ("finance_officer", "operator_admin"):
        await call(stub.CheckLedger, billing_pb2.CheckLedgerRequest(), token=mint.token(a_principal(role)))
    await call(stub.ListCharges, billing_pb2.ListChargesRequest(), token=mint.token(a_principal("declarant")))
    await wire.close()
    stop.set()
    await running


def test_no_float_enters_billing() -> None:
    """Money is counted, not measured."""
    sources = (Path(__file__).parents[2] / "services/billing/billing").rglob("*.py")
    assert not [str(file) for file in sources if "float(" in (text := file.read_text()) or ": float" in text]
