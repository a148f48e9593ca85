"""Publishes to Kafka: acknowledged by every replica in sync, or Unavailable and a new client."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from kafka import KafkaProducer
from kafka.errors import KafkaError

from kit import telemetry
from kit.bus.kafka.admin import create_missing
from kit.bus.kafka.thread import ClientThread
from kit.bus.kafka.wire import headers_of
from kit.bus.topics import Topic
from kit.errors import Unavailable
from kit.events import Event

PUBLISH_LIMIT_S = 6.0
CONNECT_LIMIT_S = 3.0
METADATA_LIMIT_S = 2.0
REQUEST_LIMIT_S = 5.0
CLOSE_LIMIT_S = 2.0
# Above every outage that one publish rides out: a batch that outlives it leaves kafka-python 3.0's producer dead.
DELIVERY_LIMIT_S = 120.0
RECONNECT_MOST_S = 1.0
LINGER_S = 0.005
BATCH_BYTES_MAX = 128 * 1024
REQUEST_BYTES_MAX = 1_048_576
METADATA_AGE_MAX_S = 5.0

T = TypeVar("T")


class KafkaPublisher:
    """Creates what is declared and missing, so that a cluster that lost its data can be filled again by itself."""

    def __init__(self, bootstrap: str, declared: Iterable[Topic] = ()) -> None:
        self._bootstrap = bootstrap
        self._declared = tuple(declared)
        self._thread = ClientThread("kafka-publisher")
        self._producer: Any = None
        self._cluster = ""

    async def publish(self, events: Sequence[Event]) -> None:
        if events:
            await self._thread.run(lambda: self._safely(lambda: self._publish(events)))

    async def cluster_id(self) -> str:
        return await self._thread.run(lambda: self._safely(self._cluster_now))

    async def close(self) -> None:
        await self._thread.end(self._discard, CLOSE_LIMIT_S)

    def _safely(self, act: Callable[[], T]) -> T:
        """Whatever goes wrong, the client is not used again: after an error it may be dead without a sign."""
        try:
            return act()
        except Exception as error:
            self._discard()
            raise Unavailable("OVERLOADED", f"the bus did not take it: {error!r}") from error

    def _publish(self, events: Sequence[Event]) -> None:
        producer, deadline = self._ready(), time.monotonic() + PUBLISH_LIMIT_S
        futures = [_send(producer, event) for event in events]
        producer.flush(_left(deadline))
        for future in futures:
            future.get(_left(deadline))

    def _cluster_now(self) -> str:
        if self._producer is not None:
            _refresh(self._producer)
        self._ready()
        return self._cluster

    def _ready(self) -> Any:
        if self._producer is not None and _cluster_of(self._producer) != self._cluster:
            telemetry.log().warning("bus_is_another", was=self._cluster)
            self._discard()
        if self._producer is None:
            create_missing(self._bootstrap, self._declared, CONNECT_LIMIT_S)
            self._producer = _producer(self._bootstrap)
            self._cluster = _cluster_of(self._producer)
        return self._producer

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            _force_close(producer)


def _producer(bootstrap: str) -> Any:
    return KafkaProducer(
        bootstrap_servers=bootstrap.split(","),
        client_id="portolan",
        acks="all",
        enable_idempotence=True,
        linger_ms=int(LINGER_S * 1000),
        batch_size=BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        allow_auto_create_topics=False,
        delivery_timeout_ms=int(DELIVERY_LIMIT_S * 1000),
        request_timeout_ms=int(REQUEST_LIMIT_S * 1000),
        max_block_ms=int(METADATA_LIMIT_S * 1000),
        bootstrap_timeout_ms=int(CONNECT_LIMIT_S * 1000),
        reconnect_backoff_max_ms=int(RECONNECT_MOST_S * 1000),
        metadata_max_age_ms=int(METADATA_AGE_MAX_S * 1000),
        metrics_enabled=False,
    )


def _send(producer: Any, event: Event) -> Any:
    """One failure stops the sender before it sends what comes next: no later event of a key may overtake it."""
    future = producer.send(event.topic, value=event.payload, key=event.key.encode(), headers=headers_of(event))
    future.add_errback(lambda _: producer._sender.force_close())
    return future


def _refresh(producer: Any) -> None:
    done = threading.Event()
    update = producer._metadata.request_update()
    update.add_both(lambda *_: done.set())
    producer._sender.wakeup()
    if not done.wait(METADATA_LIMIT_S) or update.failed():
        raise KafkaError("no answer about the cluster")


def _cluster_of(producer: Any) -> str:
    return producer._metadata.cluster_id or ""


def _force_close(producer: Any) -> None:
    """`close` alone waits for batches that never end, and leaves its thread behind (kafka-python 3.0.12)."""
    producer._sender.force_close()
    producer._sender.join(CLOSE_LIMIT_S)
    with contextlib.suppress(KafkaError):
        producer.close(timeout=0)
    producer._closed = True


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)
