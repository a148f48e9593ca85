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
    """One consumer group's place in some topics, read in order per key; an event may come again, never out of order.

    No key is with two readers of a group at a time. Whether several share the keys is the adapter's nature: on Kafka
    each has some partitions, on PostgreSQL's log one has all and the others wait until it leaves.
    """

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        """The next events, without moving: the same ones and what came since, until they are committed.

        Empty when none came within `wait_s`. What another reader of the group took over is not given again.
        """

    async def commit(self, events: Sequence[Event]) -> None:
        """Moves past these, which `poll` gave last. Raises Unavailable when the place is not kept: poll again."""

    async def close(self) -> None: ...
