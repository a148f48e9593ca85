"""All services in one process: their databases, desks, relays and consumers, driven step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import billing.actions as billing_actions
import billing.events as billing_events
import identity.main as identity_main
import intake.events as intake_events
import notifications.actions as notifications_actions
import notifications.events as notifications_events
import routing.actions as routing_actions
import routing.events as routing_events
from google.protobuf.message import Message
from identity.settings import Settings as IdentitySettings
from intake.actions import catalogue, keys
from intake.actions.amending import AmendmentDesk
from intake.actions.directory import Directory
from intake.actions.register import Answer, Draft, Register
from intake.domain.rulebook import Rulebooks
from kit import clock
from kit.consumer import BATCH_EVENTS_MAX as HEARD_MAX
from kit.consumer import Consumer, Handler
from kit.database import Database, Tx
from kit.errors import PortolanError
from kit.events import Event
from kit.grpc import channel
from kit.process import Parts
from kit.relay import BATCH_EVENTS_MAX as PUBLISHED_MAX
from kit.relay import Relay
from kit.service import own_token, publisher, subscription
from notifications.domain.deliveries import Recipient
from notifications.domain.facts import Target
from notifications.store.directory import Ask, IdentityDirectory
from notifications.store.directory import Directory as Addressees
from portolan.identity.v1 import identity_pb2_grpc
from routing.store import Rulebooks as RoutingRulebooks

from history.settings import SERVICES, Settings
from history.time import Time

HEARD_AFTER = timedelta(milliseconds=300)
ROUNDS_MAX = 1_000
# Where people act, and where the clocks are.
ACTED_UPON = ("intake", "routing")
# Who hears whom at once; notifications hears everybody, later, and says nothing that others wait for.
HEARERS: Mapping[str, Sequence[str]] = {
    "identity": ("billing",),
    "intake": ("routing", "billing"),
    "routing": ("intake",),
    "billing": ("intake",),
    "notifications": (),
}


class AloneRegister(Register):
    """One document after another, so that numbers are given in the order of the history."""

    async def enter(self, draft: Draft) -> Answer:
        (outcome,) = await self.record([draft])
        if isinstance(outcome, PortolanError):
            raise outcome
        return outcome


@dataclass
class House:
    """`drain` gives everything that was said its effect, at the time it was said."""

    time: Time
    databases: Mapping[str, Database]
    identity: Parts
    rulebooks: Rulebooks
    routing_rulebooks: RoutingRulebooks
    directory: Directory
    register: AloneRegister
    amendments: AmendmentDesk
    relays: Mapping[str, Relay]
    consumers: Mapping[str, Consumer]
    stop: asyncio.Event
    answering: asyncio.Task[None]

    async def drain(self, spoken: Sequence[str] = ACTED_UPON) -> None:
        """What is said is heard, and what is said because of it, until nothing is. Feeds are filled by `tell`."""
        for _ in range(ROUNDS_MAX):
            published = [name for name in spoken if await self._publish(name)]
            hearers = dict.fromkeys(hearer for name in published for hearer in HEARERS[name])
            for hearer in hearers:
                await self._hear(hearer)
            if not hearers:
                return
            spoken = list(hearers)
        raise RuntimeError("the services do not come to rest")

    async def tell(self) -> None:
        """Who must know is told; nobody waits for it, and each notice bears the time of what it tells."""
        now = clock.now()
        await self._hear("notifications")
        await self.drain(["notifications"])
        self.time.at(now)

    async def _publish(self, name: str) -> bool:
        batch = first = await self.relays[name].publish_batch()
        while batch == PUBLISHED_MAX:
            batch = await self.relays[name].publish_batch()
        return first > 0

    async def _hear(self, name: str) -> None:
        while await self.consumers[name].step(0) == HEARD_MAX:
            pass

    async def sweep(self) -> None:
        """The clocks of this moment: who is late, whose term has passed, who kept silent."""
        database, now = self.databases["routing"], clock.now()
        for look in (routing_actions.lapse, routing_actions.sweep, routing_actions.fall_silent):
            await look(database, self.routing_rulebooks, now)
        await self.drain()
        self.time.at(now)

    async def close(self) -> None:
        self.stop.set()
        await self.answering
        for database in self.databases.values():
            await database.close()
        if self.identity.close is not None:
            await self.identity.close()


async def open_house(settings: Settings, time: Time) -> House:
    """The databases exist and hold the pack; identity answers the others as it always does."""
    databases = {name: await Database.open(settings.of(name)["database_url"], checks=False) for name in SERVICES}
    stop, identity = asyncio.Event(), await identity_main.build(IdentitySettings(**settings.of("identity")))
    answering = asyncio.create_task(_run(identity, stop))
    door = channel(settings.identity_target)
    rulebooks = await catalogue.loaded(databases["intake"])
    register = AloneRegister(databases["intake"], await keys.signing_key(databases["intake"], settings.service_secret))
    directory = Directory(identity_pb2_grpc.IdentityServiceStub(door), lambda: own_token(settings, "intake"))
    routing_rulebooks = RoutingRulebooks(databases["routing"])
    await routing_rulebooks.load()
    addressees = IdentityDirectory(door, lambda: own_token(settings, "notifications"))
    return House(
        time=time,
        databases=databases,
        identity=identity,
        rulebooks=rulebooks,
        routing_rulebooks=routing_rulebooks,
        directory=directory,
        register=register,
        amendments=AmendmentDesk(databases["intake"], rulebooks, directory, register),
        relays={name: Relay(name, databases[name], await publisher(settings)) for name in SERVICES},
        consumers=_consumers(settings, time, databases, rulebooks, routing_rulebooks, addressees),
        stop=stop,
        answering=answering,
    )


async def _run(identity: Parts, stop: asyncio.Event) -> None:
    await identity.loops["api"](stop)


def _consumers(
    settings: Settings,
    time: Time,
    databases: Mapping[str, Database],
    rulebooks: Rulebooks,
    routing_rulebooks: RoutingRulebooks,
    addressees: IdentityDirectory,
) -> dict[str, Consumer]:
    desk = billing_actions.PriceDesk()
    teller = notifications_actions.Teller(
        databases["notifications"], notifications_actions.RuleDesk(), Addressees(_without_letters(addressees))
    )
    billed = billing_events.prepare(databases["billing"], desk)
    told = notifications_events.prepare(teller)
    hearing = [
        ("routing", routing_events, routing_events.handlers(routing_rulebooks), None),
        ("intake", intake_events, intake_events.handlers(rulebooks), None),
        ("billing", billing_events, billing_events.handlers(desk), billed),
        ("notifications", notifications_events, notifications_events.handlers(teller), told),
    ]
    return {
        name: Consumer(
            databases[name], subscription(settings, of.GROUP, of.TOPICS), of.GROUP, _timed(time, heard), prepare
        )
        for name, of, heard, prepare in hearing
    }


def _timed(time: Time, handlers: Mapping[type[Message], Handler]) -> Mapping[type[Message], Handler]:
    """What is heard has its effect a moment after it was said."""

    def timed(handler: Handler) -> Handler:
        async def handle(tx: Tx, event: Event, message: Message) -> None:
            time.at(event.time + HEARD_AFTER)
            await handler(tx, event, message)

        return handle

    return {kind: timed(handler) for kind, handler in handlers.items()}


def _without_letters(addressees: IdentityDirectory) -> Ask:
    """The past is not written to anybody: feeds are filled, letters are not sent."""

    async def ask(target: Target) -> Sequence[Recipient]:
        return [one for one in await addressees.ask(target) if not one.address]

    return ask
