"""Webhooks on their way: claim what is due, send it, write down what came of it; a claim that dies is claimed again.

A crash between the receiver's yes and our commit sends again under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from kit import clock, outbox, telemetry, wire
from kit.database import Database, Tx
from kit.errors import Unavailable
from portolan.notifications.v1 import events_pb2
from prometheus_client import Counter, Gauge

from notifications.domain import posts, signing
from notifications.domain.endpoints import FAILING, GONE, Endpoint, is_given_up
from notifications.domain.posts import Outcome, Post
from notifications.domain.signing import Key, Vault
from notifications.store import endpoints as endpoint_store
from notifications.store import posts as store
from notifications.store.egress import TIMEOUT_S, Egress

TOPIC = "portolan.notifications.webhook.v1"
AT_ONCE_MAX = 64
# A receiver that hangs takes this many places, never all.
OF_EACH_MAX = 4
LEASE_S = 2 * TIMEOUT_S
POLL_S = 0.5
SWEEP_S = 600.0

WEBHOOKS_TOTAL = Counter(
    "portolan_webhooks_total",
    "Webhooks by what became of them. `put_off` rising for one is theirs to mend; for all, look at our egress.",
    ["outcome"],
)
WEBHOOK_LATE_SECONDS = Gauge(
    "portolan_webhook_late_seconds",
    "How long the oldest due webhook waits to be tried. Above one minute, look at the poster's log and at its number.",
)


@dataclass(frozen=True)
class _Claim:
    post: Post
    endpoint: Endpoint
    keys: Sequence[Key]


class Poster:
    def __init__(self, db: Database, vault: Vault, egress: Egress) -> None:
        self._db = db
        self._vault = vault
        self._egress = egress
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._sweep_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._sweep()
                begun = await self._begin()
            except (Unavailable, psycopg.OperationalError) as error:
                telemetry.log().warning("poster_waits", reason=str(error))
                begun = 0
            await self._wait(stop, *self._under_way if begun else ())
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def post_due(self) -> int:
        """Tries what is due now, to the end; answers how many."""
        begun = await self._begin()
        if self._under_way:
            await asyncio.gather(*self._under_way)
        return begun

    async def _begin(self) -> int:
        claims = await self._claim()
        for claim in claims:
            task = asyncio.create_task(self._post(claim))
            self._under_way[task] = claim.endpoint.id
            task.add_done_callback(self._under_way.pop)
        return len(claims)

    async def _wait(self, stop: asyncio.Event, *under_way: asyncio.Task[None]) -> None:
        """Until something new may be due; while there is plenty, until a place is free."""
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *under_way], timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def _claim(self) -> list[_Claim]:
        now, free = clock.now(), AT_ONCE_MAX - len(self._under_way)
        busy = [name for name, held in Tally(self._under_way.values()).items() if held >= OF_EACH_MAX]
        if free <= 0:
            return []
        async with self._db.transaction() as tx:
            WEBHOOK_LATE_SECONDS.set(await store.oldest_due_s(tx, now))
            claimed = await _claimed(tx, now, busy, free)
            names = {post.endpoint_id for post in claimed}
            endpoints = await endpoint_store.by_ids(tx, names) if names else {}
            sealed = await endpoint_store.keys(tx, names, now) if names else ()
        opened = [(key.endpoint_id, self._vault.open(endpoints[key.endpoint_id].signature, key)) for key in sealed]
        return [
            _Claim(post, endpoints[post.endpoint_id], [key for name, key in opened if key and name == post.endpoint_id])
            for post in claimed
        ]

    async def _post(self, claim: _Claim) -> None:
        """Sent outside every transaction; each is settled in one of its own."""
        outcome = await self._sent(claim)
        try:
            async with self._db.transaction() as tx:
                await _settle(tx, claim, outcome)
        except (Unavailable, psycopg.OperationalError) as error:
            telemetry.log().warning("webhook_unsettled", webhook_id=claim.post.id, reason=str(error))

    async def _sent(self, claim: _Claim) -> Outcome:
        if not claim.keys:
            return Outcome(failure="its keys cannot be opened: rotate them")
        body = claim.post.body.encode()
        signed = signing.headers(claim.post.id, clock.now(), body, claim.keys)
        try:
            return await self._egress.post(claim.endpoint.url, signed, body)
        except Exception as error:
            telemetry.log().error("webhook_fails", webhook_id=claim.post.id, exc_info=True)
            return Outcome(failure=repr(error))

    async def _sweep(self) -> None:
        loop_time = asyncio.get_running_loop().time()
        if loop_time < self._sweep_at:
            return
        self._sweep_at = loop_time + SWEEP_S
        async with self._db.transaction() as tx:
            await store.forget_old(tx, clock.now())
            await endpoint_store.forget_abandoned(tx, clock.now())


async def _claimed(tx: Tx, now: datetime, busy: Sequence[str], free: int) -> list[Post]:
    """Those that are well first; those that fail never hold more than half of the places."""
    lease_until = now + timedelta(seconds=LEASE_S)
    well = await store.claim(tx, now, lease_until, busy, OF_EACH_MAX, free, failing=False)
    left = free - len(well) - AT_ONCE_MAX // 2
    if left <= 0:
        return well
    return well + await store.claim(tx, now, lease_until, busy, OF_EACH_MAX, left, failing=True)


async def _settle(tx: Tx, claim: _Claim, outcome: Outcome) -> None:
    now = clock.now()
    if outcome.is_success:
        await endpoint_store.mark_well(tx, claim.endpoint.id)
        await store.mark_delivered(tx, claim.post, outcome, now)
        WEBHOOKS_TOTAL.labels("delivered").inc()
        return
    failing_since = await endpoint_store.mark_failing(tx, claim.endpoint.id, now)
    if outcome.is_gone or posts.is_last(claim.post.attempts):
        await store.give_up(tx, claim.post, outcome)
        WEBHOOKS_TOTAL.labels("failed").inc()
    else:
        due_at = posts.next_try(claim.post.attempts, outcome.retry_after, now)
        await store.put_off(tx, claim.post, outcome, due_at)
        WEBHOOKS_TOTAL.labels("put_off").inc()
    if outcome.is_gone or is_given_up(failing_since, now):
        await _disable(tx, claim.endpoint, GONE if outcome.is_gone else FAILING)


async def _disable(tx: Tx, endpoint: Endpoint, reason: str) -> None:
    now = clock.now()
    if not await endpoint_store.disable(tx, endpoint.id, reason, now):
        return
    await store.hold(tx, endpoint.id)
    said = events_pb2.WebhookEndpointDisabled(
        endpoint_id=endpoint.id,
        organisation_id=endpoint.organisation_id,
        url=endpoint.url,
        reason=reason,
        disabled_at=wire.timestamp(now),
    )
    await outbox.append(tx, topic=TOPIC, key=endpoint.id, message=said)
    WEBHOOKS_TOTAL.labels("endpoint_disabled").inc()
