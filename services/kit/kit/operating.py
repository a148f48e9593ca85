"""What a person does to a running service from its command line, each with a reason and a name on record."""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from kit import clock, replays
from kit.bus import Publisher
from kit.database import Database
from kit.errors import PortolanError, Unavailable
from kit.process import Command
from kit.relay import CONNECTIONS_MAX, SESSION_OPTIONS, Relay

OpenPublisher = Callable[[], Awaitable[Publisher]]

LOOK_AGAIN_S = 0.2
REFUSED = 1


def commands(service: str, database_url: str, open_publisher: OpenPublisher) -> Mapping[str, Command]:
    async def replay(arguments: Sequence[str]) -> int:
        asked = _replay_arguments(service).parse_args(arguments)
        database = await Database.open(database_url, size_max=CONNECTIONS_MAX, options=SESSION_OPTIONS)
        publisher = await open_publisher()
        try:
            return await _replay(Relay(service, database, publisher), database, asked)
        except PortolanError as refusal:
            print(refusal)
            return REFUSED
        finally:
            await publisher.close()
            await database.close()

    return {"replay": replay}


def _replay_arguments(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"python -m {service} replay",
        description="Publish again what the outbox keeps. Who heard it before changes nothing by it.",
        epilog="Killed, it is gone on with by the service's relay.",
    )
    parser.add_argument("--since", type=moment, required=True, help="such as 2026-11-01T00:00:00Z")
    parser.add_argument("--until", type=moment, help="default: now")
    parser.add_argument("--topic", default="", help="this topic alone")
    parser.add_argument("--key", default="", help="this aggregate alone")
    sign(parser)
    return parser


def sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="kept on record")
    parser.add_argument("--by", default=getpass.getuser(), help="who asks; default: who is signed in")


def moment(text: str) -> datetime:
    """RFC 3339; without an offset, UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


async def _replay(relay: Relay, database: Database, asked: argparse.Namespace) -> int:
    wanted = replays.Wanted(asked.since, asked.until or clock.now(), asked.topic, asked.key)
    async with database.transaction() as tx:
        replay_id = await replays.request(tx, wanted, asked.reason, asked.by)
    print(f"replay {replay_id} begins", flush=True)
    while True:
        moved = await _go_on(relay)
        async with database.connection() as connection:
            replay = await replays.of(connection, replay_id)
        if replay is not None and replay.finished_at is not None:
            print(f"replay {replay_id} finished: {replay.published} events published again")
            return 0
        await asyncio.sleep(0 if moved else LOOK_AGAIN_S)


async def _go_on(relay: Relay) -> int:
    """The service's own relay may have the lock: it does the same work."""
    try:
        return await relay.publish_batch()
    except Unavailable as error:
        print(f"waiting: {error}", flush=True)
        return 0
