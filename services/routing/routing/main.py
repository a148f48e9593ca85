"""Builds routing, by hand, in one place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import packs
from kit.auth import TokenVerifier
from kit.consumer import Consumer
from kit.database import Database
from kit.grpc import Server, channel
from kit.process import Job, Loop, Parts
from kit.service import RemoteVerifier, commands, migrate_job, own_token, relay_loop, subscription
from kit.standing import Standing
from portolan.identity.v1 import identity_pb2_grpc
from portolan.routing.v1 import routing_pb2_grpc

from routing import actions, events
from routing.api import AUTHORITY, DESCRIPTOR, RoutingService
from routing.settings import Settings
from routing.store import Rulebooks

SERVICE = "routing"
MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: Settings) -> Parts:
    database = await Database.open(settings.database_url, size_max=settings.database_connections_max)
    rulebooks = Rulebooks(database)
    return Parts(
        jobs={"migrate": migrate_job(settings, SERVICE, MIGRATIONS), "seed": _seed_job(settings, database)},
        loops={
            "api": _api_loop(settings, database, rulebooks),
            "consumer": _consumer_loop(settings, database, rulebooks),
            "relay": relay_loop(settings, SERVICE),
        },
        open=rulebooks.load,
        commands=commands(settings, SERVICE),
        close=database.close,
    )


def server(
    settings: Settings,
    database: Database,
    rulebooks: Rulebooks,
    verifier: TokenVerifier,
    mandates: actions.Mandates,
) -> Server:
    answering = Server(SERVICE, verifier, settings.grpc_host, settings.grpc_port)
    service = RoutingService(database, rulebooks, mandates)
    answering.add(
        DESCRIPTOR, AUTHORITY, lambda grpc: routing_pb2_grpc.add_RoutingServiceServicer_to_server(service, grpc)
    )
    return answering


def _api_loop(settings: Settings, database: Database, rulebooks: Rulebooks) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        remote, identity = RemoteVerifier(settings), channel(settings.identity_target)
        stub = identity_pb2_grpc.IdentityServiceStub(identity)
        mandates = actions.IdentityMandates(stub, lambda: own_token(settings, SERVICE))
        try:
            answering = server(settings, database, rulebooks, remote.verifier, mandates)
            answering.stands(Standing(database, ("relay", "consumer")))
            await asyncio.gather(answering.run(stop), remote.watch(stop))
        finally:
            await remote.close()
            await identity.close()

    return loop


def _consumer_loop(settings: Settings, database: Database, rulebooks: Rulebooks) -> Loop:
    """Hears documents and the clock."""

    async def loop(stop: asyncio.Event) -> None:
        heard = subscription(settings, events.GROUP, events.TOPICS)
        consumer = Consumer(database, heard, events.GROUP, events.handlers(rulebooks))
        await asyncio.gather(consumer.run(stop), actions.watch(database, rulebooks, stop))

    return loop


def _seed_job(settings: Settings, database: Database) -> Job:
    async def job() -> None:
        await actions.seed(database, packs.read(settings.pack_path or packs.default_pack_path()))

    return job
