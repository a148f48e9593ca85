"""Billing, wired by hand: database, price desk, API, consumer, relay."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kit import service
from kit.consumer import Consumer
from kit.database import Database
from kit.grpc import Server
from kit.process import Job, Loop, Parts
from kit.standing import Standing
from packs import reader
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc

from billing import actions, api, events
from billing.settings import Settings

NAME = "billing"
MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: Settings) -> Parts:
    db = await Database.open(settings.database_url, size_max=settings.database_connections_max)
    desk = actions.PriceDesk()
    return Parts(
        jobs={"migrate": service.migrate_job(settings, NAME, MIGRATIONS), "seed": _seed(settings, db)},
        loops={
            "api": _api(settings, db, desk),
            "consumer": _consumer(settings, db, desk),
            "relay": service.relay_loop(settings, NAME),
        },
        commands=service.commands(settings, NAME),
        close=db.close,
    )


def _seed(settings: Settings, db: Database) -> Job:
    async def seed() -> None:
        await actions.load_pack(db, reader.read(settings.pack_path or reader.default_pack_path()))

    return seed


def _api(settings: Settings, db: Database, desk: actions.PriceDesk) -> Loop:
    async def serve(stop: asyncio.Event) -> None:
        remote = service.RemoteVerifier(settings)
        try:
            server = Server(NAME, remote.verifier, settings.grpc_host, settings.grpc_port)
            add(server, db, desk)
            server.stands(Standing(db, ("relay", "consumer")))
            await asyncio.gather(server.run(stop), remote.watch(stop))
        finally:
            await remote.close()

    return serve


def add(server: Server, db: Database, desk: actions.PriceDesk) -> None:
    servicer = api.BillingApi(db, desk)
    server.add(
        billing_pb2.DESCRIPTOR.services_by_name["BillingService"],
        api.AUTHORITY,
        lambda grpc_server: billing_pb2_grpc.add_BillingServiceServicer_to_server(servicer, grpc_server),
    )


def _consumer(settings: Settings, db: Database, desk: actions.PriceDesk) -> Loop:
    async def hear(stop: asyncio.Event) -> None:
        heard = service.subscription(settings, events.GROUP, events.TOPICS)
        consumer = Consumer(db, heard, events.GROUP, events.handlers(desk), events.prepare(db, desk))
        await consumer.run(stop)

    return hear
