"""CPU an event costs through the Kafka adapter beside the bare client, in one run, on a broker of its own.

Both publish and read the same payloads in batches of the same size, with the same settings of the client; what differs
is what the adapter adds: headers, order upheld, threads, what is kept until it is committed.

    python loadtests/bus.py [EVENTS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kit import clock, ids
from kit.bus.kafka import KafkaPublisher, KafkaSubscription, publisher, subscription, wire
from kit.bus.kafka.admin import apply
from kit.bus.topics import Topic
from kit.events import Event
from kit.relay import BATCH_EVENTS_MAX as PUBLISH_BATCH
from portolan_cli.embedded import ports
from portolan_cli.stack.kafka import KafkaCluster, archive_classes

EVENTS = 20_000
PAYLOAD_BYTES = 600
READ_BATCH = 200
PARTITIONS = 6
WARM_EVENTS = 1_000
ROUNDS = 3
LIMIT_S = 30.0
POLL_S = 1.0


def events_of(topic: str, number: int) -> list[Event]:
    now = clock.now()
    traceparent = "00-" + "a1" * 16 + "-" + "b2" * 8 + "-01"
    return [
        Event(ids.new_id(), topic, f"dossier-{n % 997}", "portolan.bench.Said", now, b"x" * PAYLOAD_BYTES, traceparent)
        for n in range(number)
    ]


def batches(events: Sequence[Event]) -> list[Sequence[Event]]:
    return [events[first : first + PUBLISH_BATCH] for first in range(0, len(events), PUBLISH_BATCH)]


def cpu_us(act: Callable[[], Any], number: int) -> float:
    """All threads of this process; the broker is another one."""
    began = time.process_time()
    act()
    return (time.process_time() - began) / number * 1e6


def bare_publish(bootstrap: str, events: Sequence[Event], *, headers: bool) -> float:
    client = publisher._producer(bootstrap)

    def act() -> None:
        for batch in batches(events):
            futures = [
                client.send(e.topic, e.payload, e.key.encode(), wire.headers_of(e) if headers else None) for e in batch
            ]
            client.flush(LIMIT_S)
            for future in futures:
                future.get(LIMIT_S)

    try:
        return cpu_us(act, len(events))
    finally:
        client.close(timeout=LIMIT_S)


def bare_read(bootstrap: str, topic: str, number: int) -> float:
    client = subscription._consumer(bootstrap, f"bare-{ids.new_id()}")
    client.subscribe([topic])

    def act() -> None:
        seen = 0
        while seen < number:
            records = client.poll(timeout_ms=int(POLL_S * 1000), max_records=READ_BATCH)
            if records:
                client.commit(timeout_ms=int(LIMIT_S * 1000))
            seen += sum(map(len, records.values()))

    try:
        return cpu_us(act, number)
    finally:
        client.close(autocommit=False, timeout_ms=int(LIMIT_S * 1000))


async def ours_publish(bootstrap: str, events: Sequence[Event]) -> float:
    ours = KafkaPublisher(bootstrap)
    await ours.cluster_id()
    began = time.process_time()
    for batch in batches(events):
        await ours.publish(batch)
    spent = time.process_time() - began
    await ours.close()
    return spent / len(events) * 1e6


async def ours_read(bootstrap: str, topic: str, number: int) -> float:
    ours, seen = KafkaSubscription(bootstrap, f"ours-{ids.new_id()}", [topic]), 0
    began = time.process_time()
    while seen < number:
        events = await ours.poll(READ_BATCH, POLL_S)
        await ours.commit(events)
        seen += len(events)
    spent = time.process_time() - began
    await ours.close()
    return spent / number * 1e6


def one_round(bootstrap: str, number: int) -> dict[str, float]:
    topic = Topic(f"bench.{ids.new_id()}.v1", PARTITIONS, 1, publisher.REQUEST_BYTES_MAX)
    apply(bootstrap, [topic])
    events = events_of(topic.name, number)
    figures = {
        "publish_bare": bare_publish(bootstrap, events, headers=False),
        "publish_bare_with_headers": bare_publish(bootstrap, events, headers=True),
        "publish_adapter": asyncio.run(ours_publish(bootstrap, events)),
    }
    figures["read_bare"] = bare_read(bootstrap, topic.name, number)
    figures["read_adapter"] = asyncio.run(ours_read(bootstrap, topic.name, number))
    return figures


def report(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The least of the rounds: what others on the machine add is noise above it."""
    best = {name: round(min(one[name] for one in rounds), 1) for name in rounds[0]}
    return {
        "cpu_us_per_event": best,
        "ratios": {
            "publish, adapter to bare": round(best["publish_adapter"] / best["publish_bare"], 2),
            "publish, adapter to bare with the same headers": round(
                best["publish_adapter"] / best["publish_bare_with_headers"], 2
            ),
            "read, adapter to bare": round(best["read_adapter"] / best["read_bare"], 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=EVENTS)
    number = parser.parse_args().events
    archive_classes()
    taken: set[int] = set()

    def port_of(_: str) -> int:
        taken.add(port := ports.free(frozenset(taken)))
        return port

    with tempfile.TemporaryDirectory(prefix="portolan-bus-") as home:
        kafka = KafkaCluster(Path(home), 1, port_of, "bus-bench")
        kafka.start()
        try:
            one_round(kafka.bootstrap, WARM_EVENTS)
            print(json.dumps(report([one_round(kafka.bootstrap, number) for _ in range(ROUNDS)]), indent=1))
        finally:
            kafka.stop()


if __name__ == "__main__":
    main()
