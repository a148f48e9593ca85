"""A bus of each kind with topics of its own, and patience: what joins a group of readers is not there at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kit import clock, ids
from kit.bus import Publisher, Subscription
from kit.bus.topics import Topic
from kit.events import Event

JOIN_S_MAX = 30.0
MESSAGE_BYTES_MAX = 1_048_576

Subscribe = Callable[[str], Subscription]


@dataclass(frozen=True)
class Bus:
    publisher: Publisher
    subscribe: Subscribe
    topic: str
    other: str
    partitions: int

    def event(self, key: str = "k", payload: bytes = b"x", topic: str = "") -> Event:
        return an_event(topic or self.topic, key, payload)


def an_event(topic: str, key: str = "k", payload: bytes = b"x") -> Event:
    return Event(ids.new_id(), topic, key, "tests.Thing", clock.now(), payload, "")


def a_topic(name: str, partitions: int = 1, message_bytes_max: int = MESSAGE_BYTES_MAX) -> Topic:
    return Topic(name, partitions, 1, message_bytes_max)


def a_name(word: str) -> str:
    return f"tests.{word}.{ids.new_id()}.v1"


async def read(reader: Subscription, number: int, events_max: int = 1000) -> Sequence[Event]:
    """Polls until so many are there; each answer must begin with the last one, since nothing is committed."""
    limit = time.monotonic() + JOIN_S_MAX
    events: Sequence[Event] = []
    while len(events) < number:
        assert time.monotonic() < limit, f"only {len(events)} of {number} events came"
        more = await reader.poll(events_max, 0.5)
        assert [event.id for event in more[: len(events)]] == [event.id for event in events]
        events = more
    return events


async def take(reader: Subscription, number: int, events_max: int = 100) -> list[Event]:
    """Reads and commits until so many are had."""
    limit = time.monotonic() + JOIN_S_MAX
    taken: list[Event] = []
    while len(taken) < number:
        assert time.monotonic() < limit, f"only {len(taken)} of {number} events came"
        events = await reader.poll(events_max, 0.5)
        await reader.commit(events)
        taken.extend(events)
    return taken


def payloads(events: Sequence[Event]) -> list[bytes]:
    return [event.payload for event in events]
