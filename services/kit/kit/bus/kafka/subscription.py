"""Reads from Kafka as a member of a group; keeps what was polled and not committed, for it may be asked for again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaError, RetriableError
from kafka.structs import OffsetAndMetadata

from kit import telemetry
from kit.bus.kafka.thread import ClientThread
from kit.bus.kafka.wire import event_of
from kit.errors import Unavailable
from kit.events import Event

CONNECT_LIMIT_S = 3.0
COMMIT_LIMIT_S = 5.0
JOIN_LIMIT_S = 3.0
# Above the longest that a batch usually takes another reader of the group, who is waited for.
UNJOINED_LIMIT_S = 60.0
LEAVE_LIMIT_S = 1.5
CLOSE_LIMIT_S = 6.0
RETRY_S = 0.1
STAY_S = 0.2
SESSION_S = 10.0
HEARTBEAT_S = 1.0
HANDLING_LIMIT_S = 300.0
REQUEST_LIMIT_S = 10.0
RECONNECT_MOST_S = 1.0
METADATA_AGE_MAX_S = 5.0
FETCH_BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class Held:
    partition: Any
    offset: int
    event: Event


class OtherCluster(Exception):
    """Who answers now is not whom this reader's places are about."""


class NotJoined(Exception):
    """The group does not take this reader in, or it does not notice that it did."""


class KafkaSubscription:
    """A poll during which the group is joined may take JOIN_LIMIT_S longer than it was to wait."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str]) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = list(topics)
        self._thread = ClientThread(f"kafka-{group}")
        self._consumer: Any = None
        self._cluster = ""
        self._gone: SimpleQueue[Iterable[Any]] = SimpleQueue()
        self._held: list[Held] = []
        self._given = 0
        self._member_at = 0.0

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        return await self._thread.run(lambda: self._poll(events_max, wait_s))

    async def commit(self, events: Sequence[Event]) -> None:
        if events:
            await self._thread.run(self._commit)

    async def close(self) -> None:
        await self._thread.end(self._discard, CLOSE_LIMIT_S)

    def _poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        self._given = 0
        try:
            self._gather(self._ready(), events_max, wait_s)
        except Exception as error:
            self._discard()
            telemetry.log().warning("bus_reader_is_rebuilt", consumer=self._group, reason=repr(error))
            raise Unavailable("OVERLOADED", f"the bus does not answer: {error!r}") from error
        given = self._held[:events_max]
        self._given = len(given)
        return [held.event for held in given]

    def _gather(self, consumer: Any, events_max: int, wait_s: float) -> None:
        """Goes to the client also when enough is held: who does not is put out of the group."""
        deadline = time.monotonic() + wait_s
        while True:
            left_s = max(deadline - time.monotonic(), 0.0)
            fetched = _fetch(consumer, events_max - len(self._held), min(left_s, STAY_S) if self._held else left_s)
            self._check(consumer)
            self._let_go()
            self._held.extend(_in_time_order(fetched))
            self._keep(consumer.assignment())
            if self._held or time.monotonic() >= deadline:
                return

    def _check(self, consumer: Any) -> None:
        if _cluster_of(consumer) != self._cluster:
            raise OtherCluster(f"{_cluster_of(consumer)} instead of {self._cluster}")
        if consumer.group_metadata().state is MemberState.STABLE:
            self._member_at = time.monotonic()
        elif time.monotonic() - self._member_at > UNJOINED_LIMIT_S:
            raise NotJoined(f"for {UNJOINED_LIMIT_S:.0f} s")

    def _let_go(self) -> None:
        gone: set[Any] = set()
        with contextlib.suppress(Empty):
            while True:
                gone.update(self._gone.get_nowait())
        if gone:
            self._held = [held for held in self._held if held.partition not in gone]

    def _keep(self, owned: set[Any]) -> None:
        if any(held.partition not in owned for held in self._held):
            self._held = [held for held in self._held if held.partition in owned]

    def _commit(self) -> None:
        if self._consumer is None or not self._given:
            return
        places = {held.partition: OffsetAndMetadata(held.offset + 1, "", -1) for held in self._held[: self._given]}
        try:
            self._consumer.commit(places, timeout_ms=int(COMMIT_LIMIT_S * 1000))
        except KafkaError as error:
            raise Unavailable("OVERLOADED", f"the place in the bus is not kept: {error!r}") from error
        del self._held[: self._given]
        self._given = 0

    def _ready(self) -> Any:
        if self._consumer is None:
            self._consumer = _consumer(self._bootstrap, self._group)
            self._cluster = _cluster_of(self._consumer)
            self._member_at = time.monotonic()
            self._gone = SimpleQueue()
            self._consumer.subscribe(topics=self._topics, listener=_Listener(self._gone))
        return self._consumer

    def _discard(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._held, self._given = [], 0
        if consumer is not None:
            with contextlib.suppress(Exception):
                consumer.close(autocommit=False, timeout_ms=int(LEAVE_LIMIT_S * 1000))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called on the client's own thread: leaves word, and touches nothing."""

    def __init__(self, gone: SimpleQueue[Iterable[Any]]) -> None:
        self._gone = gone

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._gone.put(list(revoked))

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._gone.put(list(lost))

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        pass


def _consumer(bootstrap: str, group: str) -> Any:
    return KafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        group_id=group,
        client_id=f"portolan-{group}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[CooperativeStickyAssignor],
        allow_auto_create_topics=False,
        session_timeout_ms=int(SESSION_S * 1000),
        heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
        max_poll_interval_ms=int(HANDLING_LIMIT_S * 1000),
        request_timeout_ms=int(REQUEST_LIMIT_S * 1000),
        bootstrap_timeout_ms=int(CONNECT_LIMIT_S * 1000),
        reconnect_backoff_max_ms=int(RECONNECT_MOST_S * 1000),
        metadata_max_age_ms=int(METADATA_AGE_MAX_S * 1000),
        fetch_max_bytes=FETCH_BYTES_MAX,
        metrics_enabled=False,
    )


def _fetch(consumer: Any, records_max: int, wait_s: float) -> Mapping[Any, Sequence[Any]]:
    try:
        _join(consumer)
        if records_max > 0:
            return consumer.poll(timeout_ms=int(wait_s * 1000), max_records=records_max)  # type: ignore[no-any-return]
        _stay(consumer, wait_s)
    except RetriableError as error:
        telemetry.log().info("bus_reader_polls_again", reason=repr(error))
        time.sleep(RETRY_S)
    return {}


def _join(consumer: Any) -> None:
    """Sees it through: kafka-python 3.0.12 begins anew what a poll left unfinished, and a group's leader forgets it."""
    coordinator = consumer._coordinator
    if coordinator.rejoining:
        coordinator.request_rejoin()
    if coordinator.need_rejoin():
        coordinator.poll(timeout_ms=int(JOIN_LIMIT_S * 1000))


def _stay(consumer: Any, wait_s: float) -> None:
    owned = consumer.assignment()
    consumer.pause(*owned)
    try:
        consumer.poll(timeout_ms=int(wait_s * 1000))
    finally:
        consumer.resume(*(owned & consumer.assignment()))


def _in_time_order(fetched: Mapping[Any, Sequence[Any]]) -> list[Held]:
    """Partitions are merged by time, so that causes mostly come before effects; a partition's own order stays."""
    timed = []
    for partition, records in fetched.items():
        latest = None
        for record in records:
            event = event_of(record)
            latest = event.time if latest is None else max(latest, event.time)
            timed.append((latest, Held(partition, record.offset, event)))
    if len(fetched) > 1:
        timed.sort(key=itemgetter(0))
    return [held for _, held in timed]


def _cluster_of(consumer: Any) -> str:
    return consumer._cluster.cluster_id or ""
