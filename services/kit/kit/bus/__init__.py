"""The bus as services see it: publish durably, read in order, remember how far. One port, an adapter per profile."""

from collections.abc import Sequence
from typing import Protocol

from kit.events import Event


class Publisher(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Returns when all are durable, in the order given; raises Unavailable otherwise, having kept any part."""

    async def cluster_id(self) -> str:
        """Who keeps what was published, asked afresh: another id means that earlier events are gone from the bus.

        Raises Unavailable while the bus does not answer, or is there but not yet ready to be published to.
        """

    async def close(self) -> None: ...


class Subscription(Protocol):
    """One consumer group's place in some topics. At most one process of a group reads at a time, in order per key."""

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        """The next events, without moving; empty when none came within `wait_s`."""

    async def commit(self, events: Sequence[Event]) -> None:
        """Moves past these, which `poll` gave last."""

    async def close(self) -> None: ...
