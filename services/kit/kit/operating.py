"""What a person does to a running service from its command line, each with a reason and a name on record."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from kit import clock, dead, replays
from kit.bus import Publisher
from kit.database import Database
from kit.errors import PortolanError, Unavailable
from kit.process import Command
from kit.relay import CONNECTIONS_MAX, SESSION_OPTIONS, Relay

OpenPublisher = Callable[[], Awaitable[Publisher]]

LOOK_AGAIN_S = 0.2
REDRIVE_WAIT_S = 60.0
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

    async def about_dead(arguments: Sequence[str]) -> int:
        asked = _dead_arguments(service).parse_args(arguments)
        database = await Database.open(database_url, size_max=1)
        try:
            return int(await asked.does(database, asked))
        except PortolanError as refusal:
            print(refusal)
            return REFUSED
        finally:
            await database.close()

    return {"replay": replay, "dead": about_dead}


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


def _dead_arguments(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"python -m {service} dead", description="What could not have its effect.")
    deeds = parser.add_subparsers(required=True)
    deeds.add_parser("list", help="what lies dead, and which consumer stands still").set_defaults(does=_list)
    redrive = deeds.add_parser("redrive", help="put it through the handlers again, by the running consumer")
    which = redrive.add_mutually_exclusive_group(required=True)
    which.add_argument("--event-id", type=uuid.UUID)
    which.add_argument("--all", action="store_true")
    redrive.add_argument("--wait", type=float, default=REDRIVE_WAIT_S, help="how many seconds for its end")
    sign(redrive)
    redrive.set_defaults(does=_redrive)
    resume = deeds.add_parser("resume", help="lift a consumer's stop, its dead letters stay where they are")
    resume.add_argument("--consumer", required=True)
    sign(resume)
    resume.set_defaults(does=_resume)
    return parser


async def _list(database: Database, asked: argparse.Namespace) -> int:
    async with database.connection() as connection:
        letters, stops = await dead.lying(connection), await dead.stops(connection)
    for consumer, since, reason in stops:
        print(f"{consumer} stands still since {since:%Y-%m-%d %H:%M:%S}: {reason}")
    for one in letters:
        print(f"{one.buried_at:%Y-%m-%d %H:%M:%S} {one.event_id} {one.consumer} {one.type} {one.key}: {one.reason}")
    print(f"{len(letters)} dead letters" if len(letters) < dead.LISTED_MAX else f"the oldest {len(letters)} are shown")
    return 0


async def _redrive(database: Database, asked: argparse.Namespace) -> int:
    """Answers REFUSED also when something failed again, or was not tried in time."""
    async with database.transaction() as tx:
        wanted = await dead.request(tx, None if asked.all else str(asked.event_id), asked.reason, asked.by)
    limit, left = time.monotonic() + asked.wait, list(wanted)
    failed = 0
    while left and time.monotonic() < limit:
        async with database.connection() as connection:
            found = [await dead.redrive_of(connection, one) for one in left]
        for redrive in (one for one in found if one is not None and one.finished_at is not None):
            print(f"{redrive.consumer}: {redrive.succeeded} had their effect, {redrive.failed} failed again")
            failed += redrive.failed
            left.remove(redrive.id)
        await asyncio.sleep(LOOK_AGAIN_S)
    if left:
        print("no consumer took it up yet; it will when it runs")
    return REFUSED if left or failed else 0


async def _resume(database: Database, asked: argparse.Namespace) -> int:
    async with database.transaction() as tx:
        is_lifted = await dead.lift(tx, asked.consumer, asked.by, asked.reason)
    print(f"{asked.consumer} goes on" if is_lifted else f"{asked.consumer} does not stand still")
    return 0 if is_lifted else REFUSED
