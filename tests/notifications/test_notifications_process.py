"""Notifications as its processes run it: from an event on the bus to a letter one can open."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kit.auth import TokenVerifier
from kit.bus.postgres import PostgresPublisher
from kit.database import Database
from kit.errors import Unauthenticated
from kit.grpc import SERVICE, SIGNED_IN, Server, call, channel
from kit.testing import TokenMint, a_principal, create_database
from notifications.main import add, build
from notifications.settings import Settings
from packs import reader
from portolan.identity.v1 import identity_pb2 as pb
from portolan.identity.v1 import identity_pb2_grpc
from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc

from tests.notifications.builders import TYPE, an_event, submitted

SECRET = "known to services only"
METHODS = pb.DESCRIPTOR.services_by_name["IdentityService"].methods


class AnIdentity:
    """Answers one question, to services only."""

    async def ListRecipients(self, request: pb.ListRecipientsRequest, context: Any) -> pb.ListRecipientsResponse:
        name = request.organisation_id
        feed = pb.Recipient(id=name, organisation_id=name, language="ar")
        person = pb.Recipient(id=f"{name}-1", organisation_id=name, language="en", email=f"a@{name}.example")
        return pb.ListRecipientsResponse(recipients=[feed, person])


@pytest.fixture
async def identity_target(mint: TokenMint) -> AsyncIterator[str]:
    server = Server("identity", TokenVerifier(mint, SECRET), "127.0.0.1", 0)
    servicer: Any = type(
        "Identity", (AnIdentity,), {method.name: None for method in METHODS if method.name != "ListRecipients"}
    )()
    authority = {method.name: SERVICE if method.name == "ListRecipients" else SIGNED_IN for method in METHODS}
    server.add(
        pb.DESCRIPTOR.services_by_name["IdentityService"],
        authority,
        lambda to: identity_pb2_grpc.add_IdentityServiceServicer_to_server(servicer, to),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    yield f"127.0.0.1:{server.port}"
    stop.set()
    await running


async def test_a_submission_on_the_bus_becomes_letters(postgres_url: str, identity_target: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url=await create_database(postgres_url),
        bus_url=await create_database(postgres_url),
        identity_target=identity_target,
        service_secret=SECRET,
        home=tmp_path,
    )
    parts = await build(settings)
    for job in ("migrate", "seed", "seed"):
        await parts.jobs[job]()
    pack = reader.read(reader.default_pack_path())
    message = submitted(pack_version=pack.version)
    message.type = next(iter(pack.document_types))
    said = an_event(message)
    publisher = PostgresPublisher(await Database.open(settings.bus_url))
    topic = "portolan.intake.document.v1"
    await publisher.publish([type(said)(said.id, topic, "doc-1", said.type, said.time, said.payload, "")])
    stop = asyncio.Event()
    running = [asyncio.create_task(parts.loops[loop](stop)) for loop in ("consumer", "sender", "relay")]
    async with asyncio.timeout(20):
        while len(list((tmp_path / "mail" / "new").glob("*"))) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*running, publisher.close())
    assert parts.close is not None
    await parts.close()
    letters = [file.read_text() for file in (tmp_path / "mail" / "new").iterdir()]
    assert sorted(line for letter in letters for line in letter.splitlines() if line.startswith("To:")) == [
        "To: a@broker.example",
        "To: a@importer.example",
    ]
    assert TYPE not in "".join(letters)


@pytest.mark.service("notifications")
async def test_the_feed_is_for_the_signed_in(service_database: Database, mint: TokenMint) -> None:
    server = Server("notifications", TokenVerifier(mint), "127.0.0.1", 0)
    add(server, Settings(service_secret=SECRET), service_database)
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    wire = channel(f"127.0.0.1:{server.port}")
    stub = notifications_pb2_grpc.NotificationsServiceStub(wire)
    request = notifications_pb2.ListNotificationsRequest()
    with pytest.raises(Unauthenticated):
        await call(stub.ListNotifications, request)
    answer = await call(stub.ListNotifications, request, token=mint.token(a_principal("declarant")))
    assert list(answer.notifications) == []
    await wire.close()
    stop.set()
    await running
