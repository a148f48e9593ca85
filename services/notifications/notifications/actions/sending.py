"""The mail room: claim what is due, send it, write down what became of it; a claim that dies is claimed again."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import psycopg
from kit import clock, outbox, telemetry, trace, wire
from kit.database import Database, Tx
from kit.errors import Unavailable
from kit.pace import Pace
from portolan.notifications.v1 import events_pb2
from prometheus_client import Counter, Gauge

from notifications.domain.deliveries import LEASE_S, Delivery, MailTrouble, is_last, next_try
from notifications.store import deliveries as store
from notifications.store.mail import Mailer

TOPIC = "portolan.notifications.delivery.v1"
# All that is claimed is sent at once: what waited its turn would outlive its lease, and another sender would send it.
LETTERS_AT_ONCE_MAX = 16
POLL_S = 0.5
OLDEST_EVERY_S = 5.0
SEND_LIMIT_S = LEASE_S / 2
FAILURE_CHARACTERS_MAX = 500

LETTERS_TOTAL = Counter(
    "portolan_letters_total",
    "Letters by what became of them. `put_off` rising: the mail server is in trouble; `failed`: people are not told.",
    ["outcome"],
)
LETTER_OLDEST_SECONDS = Gauge(
    "portolan_letter_oldest_seconds",
    "Age of the oldest letter not yet sent. Above ten minutes, look at the mail server, then at the sender's log.",
)


class Sender:
    def __init__(self, db: Database, mailer: Mailer, at_once_max: int = LETTERS_AT_ONCE_MAX) -> None:
        self._db = db
        self._mailer = mailer
        self._at_once_max = at_once_max
        self._measures = Pace(OLDEST_EVERY_S)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                sent = await self.send_due()
            except (Unavailable, psycopg.OperationalError) as error:
                telemetry.log().warning("sender_waits", reason=str(error))
                sent = 0
            if sent < self._at_once_max:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), POLL_S)

    async def send_due(self) -> int:
        """Answers how many letters were due."""
        letters = await self._claim()
        troubles = await asyncio.gather(*(self._send(letter) for letter in letters))
        if letters:
            async with self._db.transaction() as tx:
                await _settle(tx, list(zip(letters, troubles, strict=True)))
        return len(letters)

    async def _claim(self) -> list[Delivery]:
        now = clock.now()
        async with self._db.transaction() as tx:
            if self._measures.is_due():
                LETTER_OLDEST_SECONDS.set(await store.oldest_pending_s(tx, now))
            return await store.claim(tx, now, now + timedelta(seconds=LEASE_S), self._at_once_max)

    async def _send(self, letter: Delivery) -> MailTrouble | None:
        trace.begin(letter.traceparent)
        try:
            with trace.span("send letter", "client"):
                async with asyncio.timeout(SEND_LIMIT_S):
                    await self._mailer.send(letter)
        except MailTrouble as trouble:
            return trouble
        except TimeoutError:
            return MailTrouble(f"not sent within {SEND_LIMIT_S} s")
        except Exception as error:
            telemetry.log().error("letter_fails", delivery_id=letter.id, exc_info=True)
            return MailTrouble(repr(error))
        return None


async def _settle(tx: Tx, outcomes: list[tuple[Delivery, MailTrouble | None]]) -> None:
    sent = [letter.id for letter, trouble in outcomes if trouble is None]
    await store.mark_sent(tx, sent, clock.now())
    LETTERS_TOTAL.labels("sent").inc(len(sent))
    for letter, trouble in outcomes:
        if trouble is not None:
            await _put_off_or_give_up(tx, letter, trouble)


async def _put_off_or_give_up(tx: Tx, letter: Delivery, trouble: MailTrouble) -> None:
    failure = str(trouble).replace("\x00", "")[:FAILURE_CHARACTERS_MAX]
    if not is_last(letter.attempts, trouble):
        await store.put_off(tx, letter, failure, next_try(letter.attempts, clock.now()))
        LETTERS_TOTAL.labels("put_off").inc()
    elif await store.give_up(tx, letter, failure):
        await outbox.append(tx, topic=TOPIC, key=letter.id, message=_failed(letter, failure))
        LETTERS_TOTAL.labels("failed").inc()


def _failed(letter: Delivery, failure: str) -> events_pb2.DeliveryFailed:
    return events_pb2.DeliveryFailed(
        delivery_id=letter.id,
        event_id=letter.event_id,
        rule=letter.rule,
        recipient_id=letter.recipient_id,
        channel=letter.channel,
        reason=failure,
        failed_at=wire.timestamp(clock.now()),
    )
