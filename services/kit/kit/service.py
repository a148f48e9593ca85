"""What the main.py of every service builds alike: migration job, bus adapter, verifier."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from kit import operating
from kit.auth import TokenVerifier, service_token
from kit.bus import Publisher, Subscription, topics
from kit.bus import postgres as postgres_bus
from kit.database import Database
from kit.grpc import channel
from kit.heartbeat import Heartbeat
from kit.migrate import migrate
from kit.process import Command, Job, Loop
from kit.relay import CONNECTIONS_MAX, SESSION_OPTIONS, Relay
from kit.remote_keys import RemoteKeys
from kit.settings import ServiceSettings
from kit.shared import Listener, Shared
from kit.shared.answers import Answers
from kit.shared.inprocess import InProcess
from kit.shared.redis import RedisShared
from kit.shared.sturdy import Sturdy

RELAY_CONNECTIONS_MAX = 2

TOKENS_TOLD_S = 900.0
REVOCATION_HINTS = "portolan.identity.organisation.v1"


def migrate_job(settings: ServiceSettings, service: str, folder: Path) -> Job:
    async def job() -> None:
        await migrate(settings.database_url, service, folder)
        if not settings.kafka_bootstrap:
            await postgres_bus.prepare(settings.bus_url)

    return job


async def publisher(settings: ServiceSettings) -> Publisher:
    if settings.kafka_bootstrap:
        # Its client is 19 MB of memory that a process without Kafka does not need.
        from kit.bus.kafka import KafkaPublisher

        return KafkaPublisher(settings.kafka_bootstrap, topics.declared())
    return postgres_bus.PostgresPublisher(await Database.open(settings.bus_url, size_max=RELAY_CONNECTIONS_MAX))


def subscription(settings: ServiceSettings, group: str, heard: Sequence[str]) -> Subscription:
    if settings.kafka_bootstrap:
        from kit.bus.kafka import KafkaSubscription

        return KafkaSubscription(settings.kafka_bootstrap, group, heard)
    return postgres_bus.PostgresSubscription(settings.bus_url, group, heard)


def relay_loop(settings: ServiceSettings, service: str) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        database = await Database.open(settings.database_url, size_max=CONNECTIONS_MAX, options=SESSION_OPTIONS)
        hints = shared(settings)
        try:
            relay = Relay(service, database, await publisher(settings), hints)
            await asyncio.gather(relay.run(stop), hints.run(stop))
        finally:
            await hints.close()
            await database.close()

    return loop


def beating(database: Database, process: str, loop: Loop) -> Loop:
    """A loop whose process nobody can ask: it leaves signs of life."""

    async def run(stop: asyncio.Event) -> None:
        async with Heartbeat(database, process).beating():
            await loop(stop)

    return run


def shared(settings: ServiceSettings, sharers: int = 1) -> Shared:
    """`sharers`: how many processes are thought to share the limits while Redis is away."""
    return Sturdy(RedisShared(settings.redis_url), sharers) if settings.redis_url else InProcess()


def commands(settings: ServiceSettings, service: str) -> Mapping[str, Command]:
    return operating.commands(service, settings.database_url, lambda: publisher(settings))


class RemoteVerifier:
    """A verifier that asks identity for keys, and the loop that keeps its revocations fresh.

    `shared` is what this process and others share, kept alive by the same loop.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.shared = shared(settings)
        self._channel = channel(settings.identity_target)
        self._keys = RemoteKeys(self._channel)
        self.verifier = TokenVerifier(self._keys, settings.service_secret, tokens_told(settings, self.shared))

    async def watch(self, stop: asyncio.Event) -> None:
        await asyncio.gather(
            watch_revocations(self.verifier, self._keys, self.shared, stop),
            self.shared.run(stop),
        )

    async def close(self) -> None:
        await self._channel.close()
        await self.shared.close()


def tokens_told(settings: ServiceSettings, among: Shared) -> Answers | None:
    """What processes tell each other of verified tokens; nothing to tell where each is alone."""
    return Answers(among, settings.service_secret, "token", TOKENS_TOLD_S) if settings.redis_url else None


async def watch_revocations(verifier: TokenVerifier, keys: RemoteKeys, among: Shared, stop: asyncio.Event) -> None:
    """Identity's facts are the hint: one of them may be that somebody's tokens are void."""
    hint = asyncio.Event()
    listening = asyncio.create_task(Listener(among, REVOCATION_HINTS, lambda _: hint.set()).run())
    try:
        await verifier.watch_revocations(keys.revocations, stop, hint)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def own_token(settings: ServiceSettings, service: str) -> str:
    """What this service shows another when it asks on its own behalf."""
    return service_token(service, settings.service_secret)
