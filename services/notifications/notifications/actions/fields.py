"""A protobuf message as plain values, for rules and templates: every field is there, an unset message is None."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from kit import strict_json, wire

FACTS = "facts_json"
KINDS_MAX = 500

Way = Callable[[Message, str], Any]


def fields(message: Message) -> dict[str, Any]:
    """Facts come as an object named `facts`."""
    values = {name: way(message, name) for name, way in _ways(message.DESCRIPTOR)}
    if FACTS in values:
        values["facts"] = strict_json.loads(values.pop(FACTS) or b"{}")
    return values


@lru_cache(maxsize=KINDS_MAX)
def _ways(of: Any) -> tuple[tuple[str, Way], ...]:
    """How each field is read: descriptors are dear to ask, and always say the same."""
    return tuple((field.name, _way(field)) for field in of.fields)


def _way(field: Any) -> Way:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map
    if field.is_repeated:
        return _list
    return getattr if field.message_type is None else _message


def _map(message: Message, name: str) -> Any:
    return {key: _plain(item) for key, item in getattr(message, name).items()}


def _list(message: Message, name: str) -> Any:
    return [_plain(item) for item in getattr(message, name)]


def _message(message: Message, name: str) -> Any:
    return _plain(getattr(message, name)) if message.HasField(name) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return wire.rfc3339(wire.moment(value))
    if isinstance(value, Message):
        return fields(value)
    return value
