"""A fact on its way: what travels on the bus, and how its type finds its message class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import DecodeError, Message


@dataclass(frozen=True, slots=True)
class Event:
    """CloudEvents attributes and a protobuf payload. `type` is the protobuf full name; `key` orders.

    A record on the bus that is no event comes as one with a `fault`: every consumer hears it, and none can decode it.
    """

    id: str
    topic: str
    key: str
    type: str
    time: datetime
    payload: bytes
    traceparent: str
    fault: str = ""


class Undecodable(Exception):
    """The payload is not what its type says."""


class Decoder:
    """Knows the types a consumer hears; others are not its business."""

    def __init__(self, classes: Iterable[type[Message]]) -> None:
        self._classes: Mapping[str, type[Message]] = {kind.DESCRIPTOR.full_name: kind for kind in classes}

    def hears(self, event: Event) -> bool:
        return event.type in self._classes or bool(event.fault)

    def decode(self, event: Event) -> Message:
        if event.fault:
            raise Undecodable(event.fault)
        message = self._classes[event.type]()
        try:
            message.ParseFromString(event.payload)
        except DecodeError as error:
            raise Undecodable(event.type) from error
        return message
