"""Hears events and gives each its effect once: a whole batch in one transaction, one by one when that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import groupby

import psycopg
from google.protobuf.message import Message

from kit import clock, dead, inbox, release, telemetry, trace
from kit.bus import Subscription
from kit.database import Database, Tx
from kit.errors import Unavailable
from kit.events import Decoder, Event, Undecodable
from kit.heartbeat import Heartbeat
from kit.pace import Pace
from kit.redriving import Handler, Heard, Prepare, Redriver

__all__ = ["Consumer", "Handler", "Heard", "Prepare", "Together", "TooManyDead", "in_its_trace"]


BATCH_EVENTS_MAX = 200
POLL_WAIT_S = 1.0
# While events keep coming they are read so far apart: a batch costs nearly the same whatever is in it.
BATCH_FORMS_S = 0.05
RETRY_FIRST_S = 0.1
RETRY_MOST_S = 5.0
ATTEMPTS_MAX = 5
DEAD_IN_A_ROW_MAX = 20
# How often it looks whether somebody wants dead letters re-driven, or a stop lifted.
LOOK_S = 2.0


class Together:
    """A handler for events that follow each other: their effects are written at once, in the order they were said.

    Each is handled in its own trace when it goes through `in_its_trace`.
    """

    def __init__(self, handle: Callable[[Tx, Sequence[Heard]], Awaitable[None]]) -> None:
        self.handle = handle

    async def __call__(self, tx: Tx, event: Event, message: Message) -> None:
        await self.handle(tx, [(event, message)])


def in_its_trace(heard: Sequence[Heard]) -> Iterator[Heard]:
    for event, message in heard:
        trace.begin(event.traceparent)
        yield event, message


class TooManyDead(Exception):
    """More than DEAD_IN_A_ROW_MAX events in a row could not have their effect: a release is wrong, not an event."""


class Consumer:
    """`handlers` maps message classes to effects; `prepare` runs before the transaction, for questions to others.

    `by_key`: a batch has its effects in the order of its keys, so that batches lock the same things in the same order.
    Events of one key keep their own order.
    """

    def __init__(
        self,
        database: Database,
        subscription: Subscription,
        group: str,
        handlers: Mapping[type[Message], Handler],
        prepare: Prepare | None = None,
        *,
        by_key: bool = False,
    ) -> None:
        self._database = database
        self._subscription = subscription
        self._group = group
        self._decoder = Decoder(handlers)
        self._handlers = {kind.DESCRIPTOR.full_name: handler for kind, handler in handlers.items()}
        self._prepare = prepare
        self._redriver = Redriver(database, group, self._decoder, self._handlers, prepare)
        self._by_key = by_key
        self._dead_in_a_row = 0
        self._heartbeat = Heartbeat(database, "consumer")
        self._looked_at: float | None = None
        self._is_stopped = False
        telemetry.EVENTS_TOTAL.labels(group, "handled")  # at zero: who hears nothing must be seen to hear nothing

    async def run(self, stop: asyncio.Event) -> None:
        try:
            async with self._heartbeat.beating():
                await self._hear(stop)
        finally:
            await self._subscription.close()

    async def _hear(self, stop: asyncio.Event) -> None:
        wait_s, pace, is_known = RETRY_FIRST_S, Pace(BATCH_FORMS_S), False
        while not stop.is_set():
            try:
                is_known = is_known or await self._say_what_it_hears()
                if await self._turn(stop) < BATCH_EVENTS_MAX:
                    await pace.turn()
                wait_s = RETRY_FIRST_S
            except (Unavailable, psycopg.OperationalError) as error:
                telemetry.log().warning("consumer_waits", consumer=self._group, reason=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MOST_S)

    async def _say_what_it_hears(self) -> bool:
        async with self._database.transaction() as tx:
            await inbox.hears(tx, self._group, sorted(self._handlers), clock.now())
        return True

    async def _turn(self, stop: asyncio.Event) -> int:
        if await self._stands_still():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
            return 0
        try:
            return await self.step(POLL_WAIT_S, stop)
        except TooManyDead as error:
            await self._stop(str(error))
            return 0

    async def _stop(self, reason: str) -> None:
        """Whoever restarts the process meets the stop again: otherwise each restart would bury as many more."""
        telemetry.log().error("consumer_stopped", consumer=self._group, reason=reason)
        async with self._database.transaction() as tx:
            await dead.stop(tx, self._group, release.name(), reason)
        self._is_stopped, self._looked_at = True, None

    async def _stands_still(self) -> bool:
        """Looks now and then, and does what somebody asked to be done about dead letters."""
        if self._looked_at is not None and time.monotonic() < self._looked_at + LOOK_S:
            return self._is_stopped
        await self._redriver.run()
        async with self._database.transaction() as tx:
            is_stopped = await _is_stopped(tx, self._group)
        if self._is_stopped and not is_stopped:
            self._dead_in_a_row = 0
        self._is_stopped, self._looked_at = is_stopped, time.monotonic()
        telemetry.CONSUMER_STOPPED.labels(self._group).set(is_stopped)
        return is_stopped

    async def step(self, wait_s: float, stop: asyncio.Event | None = None) -> int:
        """Handles what is there now; answers how many events. `stop` ends the waiting, never the handling."""
        events = await self._asked(wait_s, stop or asyncio.Event())
        if not events:
            return 0
        await self._handled(events)
        await self._subscription.commit(events)
        behind = (clock.now() - events[-1].time).total_seconds()
        self._heartbeat.heard(behind)
        telemetry.CONSUMER_BEHIND_SECONDS.labels(self._group).set(behind)
        return len(events)

    async def _asked(self, wait_s: float, stop: asyncio.Event) -> Sequence[Event]:
        """Of the bus, and remembers whether it answered."""
        try:
            events = await self._poll(wait_s, stop)
        except (Unavailable, psycopg.OperationalError):
            self._heartbeat.bus_answered(False)
            raise
        self._heartbeat.bus_answered(True)
        return events

    async def _handled(self, events: Sequence[Event]) -> None:
        """And remembers whether something else is away without which they cannot have their effect."""
        try:
            await self._handle(events)
        except (Unavailable, psycopg.OperationalError):
            self._heartbeat.waits(True)
            raise
        self._heartbeat.waits(False)

    async def _poll(self, wait_s: float, stop: asyncio.Event) -> Sequence[Event]:
        polling = asyncio.ensure_future(self._subscription.poll(BATCH_EVENTS_MAX, wait_s))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((polling, stopping), return_when=asyncio.FIRST_COMPLETED)
            return polling.result() if polling.done() else []
        finally:
            polling.cancel()
            stopping.cancel()
            await asyncio.gather(polling, stopping, return_exceptions=True)

    async def _handle(self, events: Sequence[Event]) -> None:
        known = [event for event in events if self._decoder.hears(event)]
        self._count("skipped", len(events) - len(known))
        try:
            await self._effect([(event, self._decoder.decode(event)) for event in known])
            self._dead_in_a_row = 0
        except (Unavailable, psycopg.OperationalError):
            raise
        except Exception as error:
            telemetry.log().warning("batch_falls_back", consumer=self._group, reason=repr(error))
            for event in known:
                await self._handle_alone(event)

    async def _handle_alone(self, event: Event) -> None:
        reason, attempts = "", 0
        for attempt in range(ATTEMPTS_MAX):
            attempts = attempt + 1
            try:
                await self._effect([(event, self._decoder.decode(event))])
                self._dead_in_a_row = 0
                return
            except (Unavailable, psycopg.OperationalError):
                raise
            except Undecodable as error:
                reason = repr(error)
                break
            except Exception as error:
                reason = repr(error)
                telemetry.log().error(
                    "event_fails", consumer=self._group, event_id=event.id, type=event.type, exc_info=True
                )
                await asyncio.sleep(RETRY_FIRST_S * 2**attempt)
        await self._bury(event, reason, attempts)

    async def _bury(self, event: Event, reason: str, attempts: int) -> None:
        """Remembered as seen too: a neighbour that must wait brings it here again, where it would count again."""
        self._dead_in_a_row += 1
        if self._dead_in_a_row > DEAD_IN_A_ROW_MAX:
            raise TooManyDead(f"{self._group}: {reason}")
        async with self._database.transaction() as tx:
            await dead.bury(tx, self._group, event, reason, attempts)
            await inbox.once(tx, self._group, [event.id])
        self._count("dead", 1)

    async def _effect(self, heard: Sequence[Heard]) -> None:
        if not heard:
            return
        if self._prepare is not None:
            await self._prepare(heard)
        if self._by_key:
            heard = sorted(heard, key=lambda one: one[0].key)
        async with self._database.transaction() as tx:
            fresh = await inbox.once(tx, self._group, [event.id for event, _ in heard])
            for handler, run in groupby(_first_of_each(heard, fresh), key=lambda one: self._handlers[one[0].type]):
                await self._have(tx, handler, list(run))
        self._count("handled", len(heard))

    async def _have(self, tx: Tx, handler: Handler, heard: Sequence[Heard]) -> None:
        if isinstance(handler, Together):
            with self._spans(heard) as traced:
                await handler.handle(tx, traced)
            return
        for event, message in in_its_trace(heard):
            with trace.span(self._hears(event), "consumer"):
                await handler(tx, event, message)

    @contextmanager
    def _spans(self, heard: Sequence[Heard]) -> Iterator[Sequence[Heard]]:
        """The events, each in a span of its own trace, which all last as long as what is done of them together."""
        opened = [trace.start(self._hears(event), "consumer") for event, _ in in_its_trace(heard)]
        pairs = zip(opened, heard, strict=True)
        failure = ""
        try:
            yield [(replace(event, traceparent=span.traceparent), message) for span, (event, message) in pairs]
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            for span in opened:
                span.end(failure)

    def _hears(self, event: Event) -> str:
        return f"{self._group} hears {event.type}"

    def _count(self, outcome: str, number: int) -> None:
        if number:
            telemetry.EVENTS_TOTAL.labels(self._group, outcome).inc(number)


def _first_of_each(heard: Sequence[Heard], fresh: set[str]) -> Sequence[Heard]:
    """The same event may come twice in one batch."""
    firsts: dict[str, Heard] = {}
    for event, message in heard:
        if event.id in fresh:
            firsts.setdefault(event.id, (event, message))
    return list(firsts.values())


async def _is_stopped(tx: Tx, consumer: str) -> bool:
    """A stop of another release is over: that may have been what was wrong."""
    stop = await dead.stopped(tx, consumer)
    if stop is not None and stop["release"] != release.name():
        await dead.lift(tx, consumer, f"release {release.name()}", "a new release")
        return False
    return stop is not None
