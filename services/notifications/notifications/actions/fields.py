"""A protobuf message as plain values, for rules and templates: every field is there, an unset message is None."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from kit import strict_json, wire

FACTS = "facts_json"


def fields(message: Message) -> dict[str, Any]:
    """Facts come as an object named `facts`."""
    values = {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}
    if FACTS in values:
        values["facts"] = strict_json.loads(values.pop(FACTS) or b"{}")
    return values


def _value(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {key: _plain(item) for key, item in value.items()}
    if field.is_repeated:
        return [_plain(item) for item in value]
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return wire.rfc3339(wire.moment(value))
    if isinstance(value, Message):
        return fields(value)
    return value
